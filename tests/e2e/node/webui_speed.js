// SPDX-License-Identifier: Apache-2.0
// Opens a trace in a fresh browser and measures: navigation to the first rows, bytes, scrolling, folding, memory.
const { chromium } = require('playwright-core');

const [url, traceId] = process.argv.slice(2);

async function main() {
    const browser = await chromium.launch({
        executablePath: '/usr/bin/chromium',
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
            '--disable-component-update', '--disable-sync', '--enable-precise-memory-info', '--js-flags=--expose-gc'],
    });
    const page = await browser.newPage({ viewport: { width: 1360, height: 820 } });
    const cdp = await page.context().newCDPSession(page);
    await cdp.send('Network.enable');
    let bytes = 0;
    cdp.on('Network.loadingFinished', (e) => { bytes += e.encodedDataLength; });
    await page.goto(`${url}search`, { waitUntil: 'networkidle' });
    const firstLoad = bytes;
    const formMs = await page.evaluate(() => performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd);
    await page.goto('about:blank');
    await page.addInitScript(() => {
        const look = () => (document.querySelector('[role=row] .name') ? requestAnimationFrame(() => { window.__rowsMs = performance.now(); }) : requestAnimationFrame(look));
        look();
    });
    await page.goto(`${url}trace/${traceId}`);
    await page.waitForSelector('[role=row] .name', { timeout: 60000 });
    await page.waitForTimeout(500);
    const openMs = await page.evaluate(() => window.__rowsMs);
    const frames = await page.evaluate(() => new Promise((done) => {
        const rows = document.getElementById('rows'), times = [];
        let last = performance.now();
        const step = (now) => {
            times.push(now - last);
            last = now;
            rows.scrollTop += 240;
            if (times.length < 120) requestAnimationFrame(step);
            else { times.sort((a, b) => a - b); done({ p50: times[60], p95: times[114], worst: times[119] }); }
        };
        requestAnimationFrame(step);
    }));
    const foldMs = await page.evaluate(() => new Promise((done) => {
        const begin = performance.now();
        document.querySelector('[aria-label="Fold all"]').click();
        requestAnimationFrame(() => setTimeout(() => done(performance.now() - begin)));
    }));
    const heapMb = await page.evaluate(() => { window.gc?.(); return performance.memory.usedJSHeapSize / 1e6; });
    await browser.close();
    console.log(JSON.stringify({ firstLoad, formMs, openMs, frames, foldMs, heapMb }));
}

main();
