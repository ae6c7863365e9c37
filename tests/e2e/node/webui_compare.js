// SPDX-License-Identifier: Apache-2.0
// This UI beside an official jaeger-ui build, in turns: webui_compare.js OURS-URL OFFICIAL-URL TRACE[,TRACE…]. Each page
// is opened in a fresh browser: bytes and time of the first load, opening a trace, scrolling it by wheel, memory.
const { chromium } = require('playwright-core');

const [ours, official, list] = process.argv.slice(2);
const UIS = {
    ours: { url: ours, form: '#service', rows: '#rows [role=row] .name' },
    official: { url: official, form: '[class*=SearchTracePage] form', rows: '.span-row .span-name' },
};
const TIMES = 3, SCROLL_MS = 3000;

async function fresh() {
    const browser = await chromium.launch({
        executablePath: '/usr/bin/chromium',
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
            '--disable-component-update', '--disable-sync', '--enable-precise-memory-info', '--js-flags=--expose-gc'],
    });
    const page = await browser.newPage({ viewport: { width: 1360, height: 820 } });
    page.setDefaultTimeout(90000);
    return { browser, page };
}

/** Note when the selector first shows something. */
const watch = (page, selector) => page.addInitScript((wanted) => {
    const look = () => (document.querySelector(wanted) ? requestAnimationFrame(() => { window.__shownMs = performance.now(); }) : requestAnimationFrame(look));
    look();
}, selector);

async function firstLoad({ url, form }) {
    const { browser, page } = await fresh();
    const cdp = await page.context().newCDPSession(page);
    await cdp.send('Network.enable');
    let bytes = 0;
    cdp.on('Network.loadingFinished', (e) => { bytes += e.encodedDataLength; });
    await watch(page, form);
    await page.goto(`${url}search`, { waitUntil: 'networkidle' });
    await page.waitForSelector(form);
    const formMs = await page.evaluate(() => window.__shownMs);
    await browser.close();
    return { kB: bytes / 1000, formMs };
}

async function openTrace({ url, rows }, id) {
    const { browser, page } = await fresh();
    await watch(page, rows);
    await page.goto(`${url}trace/${id}`);
    await page.waitForSelector(rows);
    await page.waitForTimeout(500);
    const openMs = await page.evaluate(() => window.__shownMs);
    await page.evaluate(() => {
        window.__frames = [];
        let last = performance.now();
        const step = (now) => { window.__frames.push(now - last); last = now; requestAnimationFrame(step); };
        requestAnimationFrame(step);
    });
    await page.mouse.move(700, 500);
    for (const end = Date.now() + SCROLL_MS; Date.now() < end;) await page.mouse.wheel(0, 240);
    const frames = await page.evaluate(() => window.__frames.slice(2));
    const spent = frames.reduce((sum, ms) => sum + ms, 0);
    await page.evaluate(() => window.gc?.());
    const heapMb = await page.evaluate(() => performance.memory.usedJSHeapSize / 1e6);
    await browser.close();
    return { openMs, fps: (1000 * frames.length) / spent, worstMs: Math.max(...frames), heapMb };
}

const median = (all, key) => all.map((x) => x[key]).sort((a, b) => a - b)[Math.floor(all.length / 2)];

/** The UIs take turns, so that a busy machine is busy for both. */
async function measure(what) {
    const seen = { ours: [], official: [] };
    for (let i = 0; i < TIMES; i++)
        for (const name of Object.keys(UIS))
            seen[name].push(await what(UIS[name]).catch((error) => ({ failed: String(error).slice(0, 80) })));
    for (const [name, all] of Object.entries(seen)) {
        const good = all.filter((x) => !x.failed);
        const line = good.length ? Object.fromEntries(Object.keys(good[0]).map((k) => [k, Math.round(median(good, k) * 10) / 10])) : all[0];
        console.log(JSON.stringify({ ui: name, ...what.about, runs: good.length, ...line }));
    }
}

async function main() {
    await measure(Object.assign(firstLoad, { about: { page: 'search' } }));
    for (const id of list.split(',')) await measure(Object.assign((ui) => openTrace(ui, id), { about: { trace: id } }));
}

main();
