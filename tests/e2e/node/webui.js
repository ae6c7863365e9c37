// SPDX-License-Identifier: Apache-2.0
// What people do on the pages of the web UI, each a function: see webui_browser.js.
const { url, text, names, selected, run } = require('./webui_browser.js');

/** Rows may be there a moment before the page listens to keys. */
async function pressUntil(page, key, selector) {
    for (let i = 0; i < 40 && !(await page.$(selector)); i++) {
        await page.keyboard.press(key);
        await page.waitForSelector(selector, { timeout: 500 }).catch(() => {});
    }
}

const tasks = {
    async search(page) {
        await page.goto(`${url}search`);
        await page.selectOption('#service', 'frontend');
        await page.fill('#tags', 'http.route="POST /checkout"');
        await page.fill('#limit', '50');
        await page.selectOption('#order', 'longest');
        await page.click('#find');
        await page.waitForSelector('.traces li');
        const found = await page.$$eval('.trace .line:not(.low) .grow', (rows) => rows.map((r) => r.textContent));
        const link = page.url();
        const count = await text(page, '.results h1');
        const durations = await page.$$eval('.trace .line:not(.low) b:last-child', (rows) => rows.map((r) => r.textContent));
        // The link shows the same to somebody else, and the search is remembered.
        await page.goto('about:blank');
        await page.goto(link);
        await page.waitForSelector('.traces li');
        const again = await text(page, '.results h1');
        await page.click('header .brand');
        await page.waitForSelector('.recent li');
        const recent = await text(page, '.recent');
        await page.goto(`${url}search?service=frontend&minDuration=nonsense&lookback=1h`);
        const wrong = await text(page, '[role=alert]');
        return { found, link, count, durations, again, recent, wrong };
    },

    async brush(page) {
        await page.goto(`${url}search?service=frontend&lookback=2h&limit=200`);
        await page.waitForSelector('.scatter canvas');
        await page.waitForTimeout(300);
        const box = await (await page.$('.scatter')).boundingBox();
        const all = await text(page, '.results h1');
        await page.mouse.move(box.x + 60, box.y + 4);
        await page.mouse.down();
        await page.mouse.move(box.x + box.width / 2, box.y + box.height - 25, { steps: 4 });
        await page.mouse.up();
        await page.waitForTimeout(200);
        const some = await text(page, '.results h1');
        await page.$$eval('.traces li input', (boxes) => boxes.slice(0, 3).forEach((b) => b.click()));
        await page.click('.pick button.main');
        await page.waitForSelector('table.grid');
        const compared = { compare: await text(page, 'main'), where: page.url() };
        // The other way round, then another one of the set.
        await page.click('[aria-label="Swap A and B"]');
        await page.waitForURL((to) => to.pathname !== new URL(compared.where).pathname);
        const swapped = page.url();
        await page.click('.cohort summary');
        await page.locator('.cohort div[role=group] button', { hasText: 'spans' }).first().waitFor();
        await page.click('.cohort div[role=group] button[aria-pressed=false]');
        await page.waitForURL((to) => to.href !== swapped);
        return { all, some, ...compared, swapped, chosen: page.url(), nav: await page.getAttribute('nav a:text-is("Compare")', 'href') };
    },

    async trace(page, id) {
        await page.goto(`${url}trace/${id}`);
        await page.waitForSelector('[role=row]');
        await page.waitForTimeout(250); // until it listens to keys, too
        const rows = await names(page);
        const title = await text(page, 'h1');
        await page.fill('#find-in-trace', 'insufficient');
        await page.waitForSelector('.span.match');
        const matches = await text(page, '#match-count');
        await page.press('#find-in-trace', 'Enter');
        await page.waitForSelector('.panel .body');
        const panel = await text(page, '.panel');
        const deep = page.url();
        await page.goto('about:blank');
        await page.goto(deep);
        await page.waitForSelector('.panel .body');
        const deepPanel = await text(page, '.panel h2');
        const views = {};
        for (const view of ['Flame', 'Statistics', 'Spans', 'Graph']) {
            await page.click(`[role=tab]:text-is("${view}")`);
            await page.waitForSelector(view === 'Flame' ? '.flame canvas' : view === 'Graph' ? '.graph .node' : 'table.grid tbody tr');
            views[view] = await text(page, '.tracepage');
        }
        return { rows, title, matches, panel, deep, deepPanel, views };
    },

    async keyboard(page, id) {
        await page.goto(`${url}trace/${id}`);
        await page.waitForSelector('[role=row]');
        await page.waitForTimeout(250); // until it listens to keys, too
        const all = (await names(page)).length;
        await page.keyboard.press('ArrowDown');
        const first = await selected(page);
        await page.keyboard.press('ArrowLeft');
        const folded = (await names(page)).length;
        await page.keyboard.press('ArrowRight');
        await page.keyboard.press('e');
        const error = await selected(page);
        await page.keyboard.press('Escape');
        const closed = await page.$('.panel');
        await page.keyboard.press(']');
        const allFolded = (await names(page)).length;
        await page.keyboard.press('[');
        const unfolded = (await names(page)).length;
        await page.keyboard.press('/');
        await page.keyboard.type('redis');
        await page.waitForSelector('.span.match');
        await page.keyboard.press('Escape');
        await page.keyboard.press('Escape');
        await page.keyboard.press('?');
        await page.waitForSelector('dialog[open]');
        const help = await text(page, 'dialog');
        await page.keyboard.press('Escape');
        await page.keyboard.press('g');
        await page.keyboard.press('m');
        await page.waitForSelector('h1:text-is("Service map")');
        await page.keyboard.press('Control+k');
        await page.keyboard.type(id);
        await page.keyboard.press('Enter');
        await page.waitForSelector('[role=row]');
        await page.waitForTimeout(250); // until it listens to keys, too
        return { all, first, folded, error, closed: closed === null, allFolded, unfolded, help, where: page.url() };
    },

    async map(page) {
        await page.goto(`${url}dependencies`);
        await page.waitForSelector('.graph .node');
        const nodes = await page.$$eval('.graph .node', (all) => all.map((n) => n.getAttribute('aria-label')));
        await page.click('.graph .node[aria-label^="checkout"]');
        await page.waitForTimeout(500);
        const focused = page.url();
        await page.click('.tabs a:text-is("Table")');
        await page.waitForSelector('table.grid');
        const table = await text(page, 'table.grid');
        await page.goto(`${url}monitor`);
        await page.waitForSelector('.empty h2');
        return { nodes, focused, table, monitor: await text(page, 'main') };
    },

    async hostile(page, id) {
        await page.goto(`${url}trace/${id}`);
        await page.waitForSelector('[role=row]');
        await page.waitForTimeout(250); // until it listens to keys, too
        await pressUntil(page, 'ArrowDown', '.panel .body');
        const panel = await text(page, '.panel');
        const links = await page.$$eval('.panel a', (all) => all.map((a) => a.href));
        for (const view of ['flame', 'statistics', 'spans', 'graph']) {
            await page.goto(`${url}trace/${id}?view=${view}`);
            await page.waitForTimeout(400);
        }
        await page.goto(`${url}search?lookback=1h&limit=100&service=${encodeURIComponent('<script>window.__hacked=1</script>')}`);
        await page.waitForTimeout(400);
        return { panel, links, hacked: await page.evaluate(() => window.__hacked === 1) };
    },

    async upload(page, file) {
        await page.goto(`${url}search`);
        await page.setInputFiles('input[type=file]', file);
        await page.waitForSelector('[role=row]');
        await page.waitForTimeout(250); // until it listens to keys, too
        return { rows: await names(page), head: await text(page, '.tracepage') };
    },

    async missing(page) {
        await page.goto(`${url}trace/1234`);
        await page.waitForSelector('[role=alert]');
        const trace = await text(page, 'main');
        await page.goto(`${url}nowhere`);
        return { trace, nowhere: await text(page, 'main') };
    },

    /** Every page in both themes: screenshots, and what axe says of WCAG 2.2 AA. */
    async look(page, id, folder) {
        const pages = {
            search: 'search?service=frontend&lookback=2h&limit=100', table: 'search?service=frontend&lookback=2h&layout=table',
            trace: `trace/${id}`, events: `trace/${id}?view=events`,
            statistics: `trace/${id}?view=statistics&by=attribute:http.route&sub=service&heat=self&uiFind=redis`, flame: `trace/${id}?view=flame`,
            compare: `trace/${id}...${id}`, map: 'dependencies', deep: 'deep-dependencies?service=checkout', pipeline: 'pipeline', monitor: 'monitor', quality: 'quality-metrics?service=payment',
        };
        const ready = { search: '.traces li', table: 'table.found td', trace: '.panel .body', events: 'table.events td',
            statistics: '.stats tr.match', flame: '.flame canvas',
            compare: 'table.grid td', map: '.graph .node', deep: '.graph .node', pipeline: 'table.grid td', monitor: '.empty h2', quality: 'table[aria-label=Checks] td' };
        const contrasts = {}, violations = [];
        await page.addInitScript({ path: require.resolve('axe-core/axe.min.js') });
        for (const theme of ['light', 'dark']) {
            await page.emulateMedia({ colorScheme: theme });
            for (const [name, path] of Object.entries(pages)) {
                await page.goto(url + path);
                if (name === 'trace') {
                    await page.waitForSelector('[role=row]');
                    await page.waitForTimeout(250); // until it listens to keys, too
                    await pressUntil(page, 'e', ready[name]);
                }
                await page.waitForSelector(ready[name]);
                await page.screenshot({ path: `${folder}/${name}-${theme}.png` });
                const seen = await page.evaluate(() => window.axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }));
                for (const v of seen.violations) violations.push(`${theme} ${name}: ${v.id} ${v.nodes[0].html.slice(0, 120)}`);
            }
            contrasts[theme] = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
        }
        return { contrasts, violations };
    },
};

run(tasks);
