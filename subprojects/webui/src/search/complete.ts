// SPDX-License-Identifier: Apache-2.0
// What may stand where the caret is, in a filter expression (docs/search.md) or in key=value tags.

export type Wanted = 'name' | 'operator' | 'value' | 'join' | 'none';
/** `part` is what is typed of it already, in [from, to) of the text. */
export interface Place {
  wanted: Wanted;
  part: string;
  from: number;
  to: number;
  /** Of a value: what it is compared with. */
  name: string;
}

const TOKEN =
  /"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|`[^`]*`?|=~|!~|!=|<=|>=|&&|\|\||[=<>!(){},]|[^\s=<>!(){},&|"'`~]+/g;
const JOINS = new Set(['and', 'or', '&&', '||']);

/** Fields of a span and of its trace, beside attributes. */
export const FIELDS = [
  'service',
  'name',
  'kind',
  'status',
  'statusMessage',
  'duration',
  'traceDuration',
  'spanCount',
  'rootService',
  'rootName',
  'hasError',
  'event.name',
  'scope.name',
  'startTime',
];
export const VALUES: Record<string, string[]> = {
  kind: ['server', 'client', 'internal', 'producer', 'consumer'],
  status: ['error', 'ok', 'unset'],
  duration: ['100ms', '500ms', '1s', '5s'],
  traceDuration: ['500ms', '1s', '5s', '30s'],
};

/** The part of the state that one token changes. */
interface State {
  wanted: Wanted;
  name: string;
  inList: boolean;
}

function afterName(state: State, token: string): void {
  const word = token.toLowerCase();
  if (word === 'not' || token === '!' || token === '(' || token === '{' || word === 'some') return;
  if (word === 'exists' || word === 'event' || word === 'link' || token === ',') return;
  state.name = token;
  state.wanted = word === 'haserror' || token === ')' ? 'join' : 'operator';
}

function afterOperator(state: State, token: string): void {
  const word = token.toLowerCase();
  if (word === 'not') return;
  if (word === 'in') {
    state.wanted = 'value';
    state.inList = true;
  } else if (JOINS.has(word)) state.wanted = 'name';
  else state.wanted = word === 'exists' || token === ')' || token === '}' ? 'join' : 'value';
}

function afterValue(state: State, token: string): void {
  if (state.inList && token === '(') return;
  state.wanted = 'join';
}

function afterAll(state: State, token: string): void {
  if (JOINS.has(token.toLowerCase())) state.wanted = 'name';
  else if (token === ',') state.wanted = state.inList ? 'value' : 'name';
  else state.inList = false;
}

export function placeInFilter(text: string, caret: number): Place {
  const state: State = { wanted: 'name', name: '', inList: false };
  for (const match of text.matchAll(TOKEN)) {
    const token = match[0],
      from = match.index,
      to = from + token.length;
    if (from >= caret) break;
    const isWord = !/^[=<>!(){},&|]/.test(token);
    if (isWord && to >= caret)
      return { wanted: state.wanted, part: text.slice(from, caret), from, to, name: state.name };
    if (state.wanted === 'name') afterName(state, token);
    else if (state.wanted === 'operator') afterOperator(state, token);
    else if (state.wanted === 'value') afterValue(state, token);
    else afterAll(state, token);
  }
  return { wanted: state.wanted, part: '', from: caret, to: caret, name: state.name };
}

export function placeInTags(text: string, caret: number): Place {
  const from = text.slice(0, caret).search(/(?:[^\s"]|"(?:[^"\\]|\\.)*"?)*$/);
  const word = text.slice(from, caret),
    equals = word.indexOf('=');
  let to = caret;
  while (to < text.length && !/[\s=]/.test(text[to])) to++;
  if (equals < 0) return { wanted: 'name', part: word, from, to, name: '' };
  return {
    wanted: 'value',
    part: word.slice(equals + 1),
    from: from + equals + 1,
    to,
    name: word.slice(0, equals),
  };
}

const PLAIN_NAME = /^[A-Za-z_][\w.\-/]*$/;
const TAKEN = new Set(FIELDS);

/** An attribute's key as a name of the expression. */
export function nameOf(key: string): string {
  if (PLAIN_NAME.test(key) && !TAKEN.has(key)) return key;
  return `span."${key.replace(/[\\"]/g, '\\$&')}"`;
}

export function valueText(value: string, name: string): string {
  if (name in VALUES || /^-?\d+(\.\d+)?$/.test(value) || value === 'true' || value === 'false') return value;
  return `"${value.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n')}"`;
}

export function tagText(value: string): string {
  return /^[^\s"\\=]+$/.test(value) ? value : `"${value.replace(/[\\"]/g, '\\$&')}"`;
}

/** Without quotes and escapes: what is looked for among the values. */
export function bare(part: string): string {
  return part
    .replace(/^["'`]/, '')
    .replace(/["'`]$/, '')
    .replace(/\\(.)/g, '$1');
}

/** "…column 12: …" of the server, 1-based in bytes, as an index of the text; undefined: it names none. */
export function errorAt(message: string, text: string): number | undefined {
  const match = /column (\d+)/.exec(message);
  if (!match) return undefined;
  const bytes = new TextEncoder().encode(text).slice(0, Number(match[1]) - 1);
  return new TextDecoder().decode(bytes).length;
}
