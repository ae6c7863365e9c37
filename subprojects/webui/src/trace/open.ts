// SPDX-License-Identifier: Apache-2.0
// Files that were chosen or dropped.
import { go, hrefTo } from '../lib/router';
import { toast } from '../ui/bits';
import { readFile } from './otlp';
import { addUpload } from './store';

/** Traces of files; one trace is opened, several are listed by the search page. */
export async function openFiles(files: File[]): Promise<void> {
  try {
    const sources = (await Promise.all(files.map((f) => f.text())))
      .flatMap((text) => readFile(text))
      .map(addUpload);
    if (sources.length === 1) go(hrefTo(`/trace/${sources[0].trace.traceId}`));
    else go(hrefTo('/search', { uploaded: String(sources.length) }));
  } catch (error) {
    toast((error as Error).message);
  }
}
