// SPDX-License-Identifier: Apache-2.0
// More of the trace page: repeated siblings, events, a trace that is still arriving: see webui_browser.js.
const { url, text, names, run } = require('./webui_browser.js');

const rowCount = (page) => page.$eval('#rows', (rows) => Number(rows.getAttribute('aria-rowcount')));
const rows = (page, n) => page.waitForSelector(`#rows[aria-rowcount="${n}"]`);

const tasks = {
    async groups(page, id) {
        await page.goto(`${url}trace/${id}`);
        await page.waitForSelector('.times');
        const ran = await text(page, '.times'), label = await page.getAttribute('.span.group', 'aria-label');
        const closed = await rowCount(page);
        await page.click('.span.group .times');
        await rows(page, 342);
        const open = await rowCount(page);
        await page.click('.times');
        await rows(page, closed);
        await page.fill('#find-in-trace', 'number=77');
        await page.waitForSelector('.span.group.match');
        await page.press('#find-in-trace', 'Enter');
        await page.waitForSelector('.panel .body');
        const found = await text(page, '.panel');
        await page.click('button:text-is("Group repeats")');
        await rows(page, 342);
        return { ran, label, closed, open, found, where: page.url() };
    },

    async events(page, id) {
        await page.goto(`${url}trace/${id}?view=events`);
        await page.waitForSelector('table.events tbody tr');
        const times = await page.$$eval('table.events tbody tr td:first-child', (all) => all.map((td) => td.textContent));
        await page.fill('[aria-label="Filter events"]', 'insufficient');
        await page.locator('[role=status]', { hasText: /^1 event/ }).waitFor();
        const line = await text(page, 'table.events tbody tr');
        await page.click('table.events tbody button');
        await page.waitForSelector('.panel .body');
        return { times, line, panel: await text(page, '.panel h2') };
    },

    /** By an attribute, then by service; hot rows; the search marks groups. */
    async statistics(page, id) {
        await page.goto(`${url}trace/${id}?view=statistics`);
        await page.waitForSelector('.stats tbody tr');
        const group = page.getByLabel('Group by');
        await group.locator('option', { hasText: /^color / }).waitFor({ state: 'attached' });
        await group.selectOption('attribute:color');
        await page.getByLabel('then by').selectOption('service');
        await page.getByLabel('Colour by').selectOption('total');
        await page.waitForSelector('.stats tr.sub.hot');
        const rows = await page.$$eval('.stats tbody tr', (all) => all.map((r) => `${r.className}|${r.querySelector('th').textContent}|${r.querySelector('td').textContent}`));
        await page.fill('#find-in-trace', 'color=blue');
        await page.waitForSelector('.stats tr.match');
        const found = await page.$$eval('.stats tr.match:not(.sub) th', (all) => all.map((th) => th.textContent));
        await page.fill('[aria-label="Find groups"]', 'red');
        await page.locator('[role=status]', { hasText: /^1 groups/ }).waitFor();
        return { rows, found, where: page.url(), markup: await page.$$eval('.stats img, .stats script', (all) => all.length) };
    },

    /** The keyboard walks frames, and opens the menu of one. */
    async flame(page, id) {
        await page.goto(`${url}trace/${id}?view=flame`);
        const canvas = page.locator('.flame canvas');
        const told = async (key, words) => {
            await canvas.press(key);
            await page.locator('#flame-at', { hasText: words }).waitFor({ state: 'attached' });
        };
        await canvas.waitFor();
        await told('ArrowDown', 'shop import');
        await told('ArrowDown', 'paint');
        await canvas.press(' ');
        await page.waitForSelector('[role=menu]');
        const menu = await page.$$eval('[role=menuitem]', (all) => all.map((item) => item.textContent));
        await page.keyboard.press('Enter'); // focuses
        await page.waitForSelector('button:text-is("Whole trace")');
        await told('ArrowUp', 'shop import');
        await page.click('button:text-is("Whole trace")');
        await page.fill('#find-in-trace', 'color=blue');
        const found = page.locator('[role=status]', { hasText: 'found' });
        await found.waitFor();
        await page.click('button:text-is("Table")');
        await page.waitForSelector('.flametable tbody tr');
        return { menu, found: await found.textContent(), table: await text(page, '.flametable') };
    },

    /** From a span to those that link to it, in this trace and in others; a link whose name an ancestor has. */
    async links(page, id, span) {
        await page.goto(`${url}trace/${id}?span=${span}`);
        await page.waitForSelector('[aria-label="References to this span"] .event');
        const referrers = await page.$$eval('[aria-label="References to this span"] .event', (all) => all.map((e) => e.textContent));
        const pattern = await page.locator('.panel a', { hasText: 'Stock' }).getAttribute('href');
        await page.click('[aria-label="References to this span"] .event button');
        await page.locator('.panel h2', { hasText: 'consume' }).waitFor();
        await page.click('[aria-label="Links"] button');
        await page.locator('.panel h2', { hasText: 'publish' }).waitFor();
        await page.click('text=Find links from other traces');
        await page.waitForSelector('.traces li');
        return { referrers, pattern, elsewhere: await page.$$eval('.traces .trace', (all) => all.map((a) => a.textContent)) };
    },

    /** The test sends the late span once it reads "ready". */
    async live(page, id) {
        await page.goto(`${url}trace/${id}`);
        await page.waitForSelector('.live');
        await rows(page, 2);
        await page.keyboard.press('ArrowDown');
        await page.keyboard.press('ArrowDown');
        const before = await text(page, '.panel h2');
        await page.evaluate((endpoint) => fetch(endpoint), `${url}ready`);
        await rows(page, 3);
        return { before, after: await text(page, '.panel h2'), rows: await names(page) };
    },

    /** Focus on a subtree, hide a service, zoom: all by keyboard, and the link keeps what it can. */
    async keys(page, id) {
        await page.goto(`${url}trace/${id}`);
        await page.waitForSelector('[role=row]');
        await page.waitForTimeout(250); // until it listens to keys, too
        await page.fill('#find-in-trace', 'PlaceOrder');
        await page.waitForSelector('.span.match');
        await page.press('#find-in-trace', 'Enter');
        await page.waitForSelector('.panel .body');
        await page.$eval('#rows', (element) => element.focus());
        await page.keyboard.press('.');
        await page.waitForSelector('button:text-is("Subtree only")');
        const subtree = await names(page);
        await page.keyboard.press('.');
        await page.keyboard.press('z');
        await page.waitForURL(/zoom=/);
        await page.keyboard.press('x');
        await page.waitForURL(/hide=checkout/);
        const link = page.url();
        await page.goto('about:blank');
        await page.goto(link);
        await page.waitForSelector('summary:has-text("Services (")');
        return { subtree, link, pills: await page.$$eval('.pill', (all) => all.length).catch(() => 0) };
    },
};

run(tasks);
