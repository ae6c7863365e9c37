// SPDX-License-Identifier: Apache-2.0
// Runs one task of a person in front of the web UI in real Chromium: SCRIPT TASK URL [ARGUMENTS…]. Prints what was seen
// as JSON. Errors of the page, requests to elsewhere and reports of the policy are in `errors`.
const { chromium } = require('playwright-core');

const [task, url, ...args] = process.argv.slice(2);

async function main(tasks) {
    const browser = await chromium.launch({
        executablePath: '/usr/bin/chromium',
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
            '--disable-component-update', '--disable-sync'],
    });
    const [username, password] = (process.env.LOGIN ?? '').split(':'); // what a person types into the browser's question
    const httpCredentials = password ? { username, password } : undefined;
    const page = await browser.newPage({ viewport: { width: 1360, height: 820 }, httpCredentials });
    page.setDefaultTimeout(20000);
    const errors = [];
    page.on('pageerror', (error) => errors.push(String(error)));
    page.on('console', (message) => message.type() === 'error' && !/status of (400|401|404|501)/.test(message.text()) && errors.push(message.text()));
    page.on('request', (request) => !/^(data|blob|about):/.test(request.url()) && new URL(request.url()).host !== new URL(url).host && errors.push(request.url()));
    const seen = await tasks[task](page, ...args);
    await browser.close();
    console.log(JSON.stringify({ ...seen, errors }));
}

module.exports = {
    url,
    text: (page, selector) => page.textContent(selector),
    names: (page) => page.$$eval('[role=row] .name', (rows) => rows.map((r) => r.textContent)),
    selected: (page) => page.$eval('[role=row][aria-selected=true]', (r) => r.getAttribute('aria-label')),
    run: (tasks) => main(tasks).catch((error) => {
        console.error(error);
        process.exit(1);
    }),
};
