// SPDX-License-Identifier: Apache-2.0
// Searching by expression, in order, page by page: see webui_browser.js.
const { url, text, run } = require('./webui_browser.js');

const options = (page, id) => page.$$eval(`#${id}-list [role=option]`, (all) => all.map((o) => o.firstChild.textContent));
const cards = (page) => page.$$eval('.trace .line:not(.low)', (all) => all.map((l) => [l.children[1].textContent, l.lastChild.textContent]));

const counted = (page, n) => page.locator('#count', { hasText: new RegExp(`^${n} `) }).waitFor();

/** Type into a completing field and take the suggestion that is named. */
async function complete(page, id, typed, wanted) {
    await page.keyboard.type(typed);
    const option = `#${id}-list [role=option]:has-text("${wanted}")`;
    await page.waitForSelector(option);
    const offered = await options(page, id);
    for (let i = 0; i <= offered.indexOf(wanted); i++) await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    return offered;
}

const tasks = {
    /** A filter written with completions alone, by keyboard. */
    async filter(page) {
        await page.goto(`${url}search`);
        await page.waitForSelector('#service option:nth-child(3)', { state: 'attached' });
        await page.focus('#filter');
        const keys = await complete(page, 'filter', 'http.r', 'http.route');
        const operators = await complete(page, 'filter', '', '=');
        const values = await complete(page, 'filter', 'Plac', 'PlaceOrder');
        const joins = await complete(page, 'filter', '', 'and');
        await complete(page, 'filter', 'kin', 'kind');
        await complete(page, 'filter', '', '=');
        const kinds = await complete(page, 'filter', '', 'server');
        const filter = await page.inputValue('#filter');
        await page.keyboard.press('Escape');
        await page.keyboard.press('Enter');
        await page.waitForSelector('.traces li');
        return { keys, operators, values, joins, kinds, filter, count: await text(page, '#count'), where: page.url() };
    },

    async fault(page) {
        await page.goto(`${url}search`);
        await page.selectOption('#kind', 'server');
        await page.fill('#filter', 'service = frontend and duration > 5');
        await page.press('#filter', 'Escape');
        await page.click('#find');
        await page.waitForSelector('.fault pre');
        const [line, caret] = (await text(page, '.fault pre')).split('\n');
        const fault = await text(page, '.fault');
        await page.fill('#filter', 'service = frontend and duration > 5ms');
        await page.press('#filter', 'Escape');
        const gone = (await page.$('.fault')) === null;
        await page.click('#find');
        await page.waitForSelector('.traces li');
        return { at: line[caret.indexOf('^')], fault, gone };
    },

    async pages(page) {
        await page.goto(`${url}search?lookback=2h&limit=7&order=spans`);
        const counts = [];
        for (let i = 0; i < 3; i++) {
            await counted(page, 7 * (i + 1));
            counts.push(await text(page, '#count'));
            await page.click('#more');
        }
        await counted(page, 28);
        await page.click('[role=tab]:text-is("Table")');
        await page.waitForSelector('table.found tbody tr td');
        const spans = await page.$$eval('table.found tbody tr:has(td)', (rows) => rows.map((r) => Number(r.children[2].textContent)));
        await page.click('table.found th button:has-text("Errors")');
        const errors = await page.$$eval('table.found tbody tr:has(td)', (rows) => rows.map((r) => Number(r.children[3].textContent)));
        return { counts, spans, errors, where: page.url() };
    },

    async saved(page) {
        await page.goto(`${url}search?service=checkout&lookback=2h&limit=50&kind=server`);
        await page.waitForSelector('.traces li');
        const found = await cards(page);
        await page.click('button:text-is("Save…")');
        await page.fill('#save-name', 'Slow checkouts');
        await page.keyboard.press('Enter');
        await page.goto(`${url}search`);
        await page.waitForSelector('#saved');
        const list = await text(page, '#saved');
        await page.click('#saved a');
        await page.waitForSelector('.traces li');
        const again = await cards(page);
        const chosen = await page.$eval('#service', (s) => s.value);
        await page.click('button:text-is("Reset")');
        return { found, list, again, chosen, reset: await page.$eval('#service', (s) => s.value) };
    },

    /** Narrow by a service and by errors; look into a result without leaving; the link keeps what is chosen. */
    async facets(page) {
        await page.goto(`${url}search?service=frontend&lookback=2h&limit=200`);
        await page.waitForSelector('.traces li');
        const choose = async (menu, value) => {
            await page.click(`.facets summary:has-text("${menu}")`);
            await page.locator('.facets details[open] label', { hasText: value }).click();
            await page.keyboard.press('Escape');
            await page.waitForSelector('.facets details[open]', { state: 'detached' });
        };
        await choose('Services', 'bank-gateway');
        const some = await text(page, '#count');
        await choose('Status', 'With errors');
        await page.locator('#count', { hasNotText: some }).waitFor();
        const less = await text(page, '#count'), link = page.url();
        await page.locator('a.trace').first().focus();
        await page.keyboard.press(' ');
        await page.locator('.preview canvas[aria-label*="frontend"]').waitFor();
        const first = await page.getAttribute('.preview canvas', 'aria-label');
        await page.keyboard.press('ArrowDown');
        const label = () => page.getAttribute('.preview canvas', 'aria-label');
        for (let now = await label(); !now || now === first; now = await label()) await page.waitForTimeout(50);
        await page.keyboard.press('Escape');
        await page.waitForSelector('.preview', { state: 'detached' });
        const back = await page.evaluate(() => document.activeElement.className);
        await page.goto('about:blank');
        await page.goto(link);
        await page.waitForSelector('.facets button.chip');
        const again = await text(page, '#count');
        await page.click('.facets button:text-is("Clear all")');
        await page.locator('#count', { hasText: /^60 traces/ }).waitFor();
        return { some, less, first, back, again };
    },

    async graph(page) {
        await page.goto(`${url}search?service=checkout&lookback=2h&limit=20`);
        await page.waitForSelector('.traces li');
        await page.click('[role=tab]:text-is("Graph")');
        await page.waitForSelector('.graph .node');
        await page.locator('#deep-status', { hasText: /^\d+ traces/ }).waitFor();
        return { nodes: await page.$$eval('.graph .node', (all) => all.map((n) => n.getAttribute('aria-label'))) };
    },
};

run(tasks);
