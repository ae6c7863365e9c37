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
