// SPDX-License-Identifier: Apache-2.0
// Opens the search page and a trace page in Chromium; prints their text and the errors of the console.
const { chromium } = require('playwright-core');

const [url, traceId, picture] = process.argv.slice(2);

async function main() {
    const browser = await chromium.launch({
        executablePath: '/usr/bin/chromium',
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
            '--disable-component-update', '--disable-sync'],
    });
    const page = await browser.newPage();
    const errors = [];
    page.on('pageerror', (error) => errors.push(String(error)));
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    await page.goto(`${url}search?service=shop`, { waitUntil: 'networkidle' });
    const options = await page.$$eval('option', (nodes) => nodes.map((n) => n.textContent).join(' '));
    const search = `${await page.textContent('body')} ${options}`;
    await page.goto(`${url}trace/${traceId}`); // it goes on to watch the trace, so the network is never idle
    await page.getByText('SELECT').first().waitFor({ state: 'attached' });
    const trace = await page.textContent('body');
    await page.screenshot({ path: picture, fullPage: true });
    await browser.close();
    console.log(JSON.stringify({ search, trace, errors }));
}

main();
