// SPDX-License-Identifier: Apache-2.0
// The server's own state, and call paths through a service: see webui_browser.js.
const { url, text, run } = require('./webui_browser.js');

const tasks = {
    async pipeline(page) {
        await page.goto(`${url}pipeline?service=checkout`);
        await page.waitForSelector('table[aria-label=Receivers] tbody tr');
        await page.locator('main', { hasText: 'a second of each client' }).waitFor();
        const rows = (label) => page.$$eval(`table[aria-label="${label}"] tbody tr`, (all) => all.map((r) => [...r.children].map((c) => c.textContent.trim())));
        return { receivers: await rows('Receivers'), exporters: await rows('Exporters'), storage: await rows('Storage'), all: await text(page, 'main') };
    },

    async deep(page) {
        await page.goto(`${url}dependencies?service=checkout`);
        await page.waitForSelector('.graph .node');
        await page.click('.tabs a:text-is("Deep")');
        await page.waitForSelector('.graph .node.focus');
        await page.locator('#deep-status', { hasText: /^\d+ traces/ }).waitFor();
        const labels = () => page.$$eval('.graph .node', (all) => all.map((n) => n.getAttribute('aria-label')));
        const all = await labels();
        await page.selectOption('label:has-text("Hops before") select', '0');
        await page.waitForSelector('.graph .node[aria-label^="frontend"]', { state: 'detached' });
        const below = await labels();
        await page.click('.graph .node[aria-label^="payment"]');
        await page.waitForSelector('.graph .node.focus[aria-label^="payment"]');
        return { all, below, where: page.url() };
    },

    /** Sign in, look at one tenant's services, then at the other's. */
    async tenants(page) {
        await page.goto(`${url}search`);
        await page.waitForSelector('#tenant');
        const services = async (name) => {
            await page.waitForSelector(`#service option:text-is("${name}")`, { state: 'attached' });
            return page.$$eval('#service option', (all) => all.map((o) => o.textContent));
        };
        const user = await text(page, '#user'), choice = await page.$$eval('#tenant option', (all) => all.map((o) => o.value));
        const first = await services('red-shop');
        await Promise.all([page.waitForEvent('load'), page.selectOption('#tenant', 'rose')]);
        const second = await services('rose-shop');
        return { user, choice, first, second, tenant: await page.inputValue('#tenant') };
    },

    /** Checks of a service's spans; an example of a failure opens that span. */
    async quality(page) {
        await page.goto(`${url}quality-metrics`);
        await page.locator('select[aria-label=Service] option', { hasText: 'redis' }).waitFor({ state: 'attached' });
        await page.selectOption('select[aria-label=Service]', 'redis');
        await page.waitForURL(/service=redis/);
        const row = page.locator('table[aria-label=Checks] tr', { hasText: 'Server has client' });
        await row.locator('a').first().waitFor();
        const scores = await page.$$eval('.score', (all) => all.map((s) => Number(s.textContent))), told = await row.textContent();
        const clients = await text(page, 'table[aria-label=Clients]');
        await row.locator('a').first().click();
        await page.waitForSelector('.panel h2');
        return { scores, told, clients, where: page.url() };
    },

    /** Are the names of many services readable without zooming? How many overlap, how high is the text on the screen? */
    async many(page, n) {
        const seen = {};
        for (const layout of ['layered', 'force']) {
            await page.goto(`${url}dependencies?layout=${layout}`);
            await page.locator('.graph .node').nth(Number(n) - 1).waitFor();
            await page.locator('[role=status]', { hasText: 'errors of all' }).waitFor();
            seen[layout] = await page.evaluate(() => {
                const boxes = [...document.querySelectorAll('.graph .node rect:first-child')].map((r) => r.getBoundingClientRect());
                const overlap = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
                const graph = document.querySelector('.graph').getBoundingClientRect();
                return {
                    overlaps: boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) => overlap(a, b))).length,
                    outside: boxes.filter((b) => b.left < graph.left || b.right > graph.right || b.top < graph.top || b.bottom > graph.bottom).length,
                    text: document.querySelector('.graph .node text').getBoundingClientRect().height,
                };
            });
        }
        await page.fill('[aria-label="Find a service"]', 'platform-kafka');
        await page.waitForSelector('.graph .node.on');
        return { ...seen, found: await page.$$eval('.graph .node.on', (all) => all.length) };
    },

    async layouts(page) {
        await page.goto(`${url}dependencies?layout=force`);
        await page.waitForSelector('.graph .node');
        const places = await page.$$eval('.graph .node', (all) => all.map((n) => n.getAttribute('transform')));
        const failing = await page.$$eval('.graph .edge.failing title', (all) => all.map((t) => t.textContent));
        return { places, failing };
    },
};

run(tasks);
