// SPDX-License-Identifier: Apache-2.0
// The search form. It checks what can be checked here; what the server finds wrong comes back as `fault`.
import { useEffect, useState } from 'preact/hooks';
import { failed, type Operation, operations, services } from '../lib/api';
import { capabilities, config } from '../lib/config';
import { count, fromInput, parseLookback, toInput, zone } from '../lib/format';
import { place } from '../lib/router';
import { stored } from '../lib/stored';
import { terms } from '../lib/terms';
import { openFiles } from '../trace/open';
import { Failure } from '../ui/bits';
import { Completing } from '../ui/completing';
import { placeInFilter, placeInTags } from './complete';
import { EMPTY, findOf, type Form, formOfUrl, KINDS, LOOKBACKS, ORDERS } from './state';
import { filterSuggestions, tagSuggestions } from './suggest';

/** What is wrong with the filter, and where in it. */
export interface Fault {
  message: string;
  at: number | undefined;
}

function FilterFault({ filter, fault }: { filter: string; fault: Fault }) {
  const begin = fault.at === undefined ? 0 : Math.max(0, fault.at - 24);
  return (
    <div class="fault" role="alert" id="filter-fault">
      {fault.at !== undefined && (
        <pre>
          {begin > 0 ? '…' : ''}
          {filter.slice(begin, begin + 60)}
          {'\n'}
          {' '.repeat(fault.at - begin + (begin > 0 ? 1 : 0))}^
        </pre>
      )}
      {fault.message.replace(/^.*?column \d+: /, '')}
    </div>
  );
}

function ServiceField({ form, set }: { form: Form; set: (change: Partial<Form>) => void }) {
  const [names, setNames] = useState<string[]>();
  const [down, setDown] = useState('');
  const load = () => {
    setDown('');
    services().then(setNames, failed(setDown));
  };
  useEffect(load, []);
  const all = capabilities.searchWithoutServiceName;
  return (
    <>
      {down && <Failure error={`Services: ${down}`} onRetry={load} />}
      <label class="field">
        <span>Service {names && <span>{count(names.length)}</span>}</span>
        <select
          id="service"
          value={form.service}
          onChange={(e) => set({ service: e.currentTarget.value, operation: '' })}
        >
          <option value="">
            {all ? 'All services' : names?.length === 0 ? 'No services yet' : 'Choose a service'}
          </option>
          {form.service && !names?.includes(form.service) && <option>{form.service}</option>}
          {names?.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
    </>
  );
}

function OperationField({ form, set }: { form: Form; set: (change: Partial<Form>) => void }) {
  const [list, setList] = useState<Operation[]>([]);
  useEffect(() => {
    let gone = false;
    setList([]);
    if (form.service)
      operations(form.service).then(
        (found) => {
          if (!gone) setList(found);
        },
        () => undefined, // any text may be typed
      );
    return () => {
      gone = true;
    };
  }, [form.service]);
  const fitting = list.filter((o) => !form.kind || o.spanKind === form.kind);
  const names = [...new Set(fitting.map((o) => o.name))].sort((a, b) => a.localeCompare(b));
  return (
    <div class="pair wide-first">
      <label class="field">
        <span>
          {terms.operation} {names.length > 0 && <span>{count(names.length)}</span>}
        </span>
        <input
          id="operation"
          list="operations"
          placeholder="Any"
          autocomplete="off"
          spellcheck={false}
          value={form.operation}
          onInput={(e) => set({ operation: e.currentTarget.value })}
        />
        <datalist id="operations">
          {names.map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
      </label>
      <label class="field">
        <span>Kind</span>
        <select id="kind" value={form.kind} onChange={(e) => set({ kind: e.currentTarget.value })}>
          <option value="">Any</option>
          {KINDS.map((kind) => (
            <option key={kind}>{kind}</option>
          ))}
        </select>
      </label>
    </div>
  );
}

function TimeField({ form, set }: { form: Form; set: (change: Partial<Form>) => void }) {
  const max = parseLookback(config.search.maxLookback.value) ?? Infinity;
  const choose = (lookback: string) => {
    const now = Date.now(),
      back = parseLookback(form.lookback) ?? 3600e3;
    if (lookback !== 'custom') set({ lookback });
    else set({ lookback, start: String((now - back) * 1000), end: String(now * 1000) });
  };
  const bound = (name: 'start' | 'end', text: string) => (
    <label class="field">
      <span>
        {text} {name === 'start' && <span title="Time zone">{zone.value}</span>}
      </span>
      <input
        type="datetime-local"
        step="1"
        value={toInput(Number(form[name]) / 1000)}
        onInput={(e) => set({ [name]: String(fromInput(e.currentTarget.value) * 1000) })}
      />
    </label>
  );
  return (
    <>
      <label class="field">
        <span>Time</span>
        <select id="lookback" value={form.lookback} onChange={(e) => choose(e.currentTarget.value)}>
          {LOOKBACKS.filter(([value]) => parseLookback(value)! <= max).map(([value, text]) => (
            <option key={value} value={value}>
              Last {text}
            </option>
          ))}
          {!LOOKBACKS.some(([value]) => value === form.lookback) && form.lookback !== 'custom' && (
            <option value={form.lookback}>Last {form.lookback}</option>
          )}
          <option value="custom">Between two times</option>
        </select>
      </label>
      {form.lookback === 'custom' && bound('start', 'From')}
      {form.lookback === 'custom' && bound('end', 'To')}
      {config.search.adjustEndTime && form.lookback !== 'custom' && (
        <label class="row field">
          <input
            type="checkbox"
            checked={form.adjust}
            onChange={(e) => set({ adjust: e.currentTarget.checked })}
          />
          Leave out the last {config.search.adjustEndTime}
        </label>
      )}
    </>
  );
}

function Durations({ form, set }: { form: Form; set: (change: Partial<Form>) => void }) {
  const field = (name: 'minDuration' | 'maxDuration', text: string, placeholder: string) => (
    <label class="field">
      <span>{text}</span>
      <input
        id={name}
        placeholder={placeholder}
        value={form[name]}
        onInput={(e) => set({ [name]: e.currentTarget.value })}
      />
    </label>
  );
  return (
    <div class="pair">
      {field('minDuration', 'Longer than', '100ms')}
      {field('maxDuration', 'Shorter than', '1.2s')}
    </div>
  );
}

function OrderAndLimit({ form, set }: { form: Form; set: (change: Partial<Form>) => void }) {
  return (
    <div class="pair wide-first">
      <label class="field">
        <span>Order</span>
        <select
          id="order"
          value={form.order}
          onChange={(e) => set({ order: e.currentTarget.value as Form['order'] })}
        >
          {ORDERS.map(([value, text]) => (
            <option key={value} value={value}>
              {text} first
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>Limit</span>
        <input
          id="limit"
          type="number"
          min="1"
          max={config.search.maxLimit}
          value={form.limit}
          onInput={(e) => set({ limit: e.currentTarget.value })}
        />
      </label>
    </div>
  );
}

/** What was asked for last stands in an empty form. */
const initial = (): Form => {
  const form = formOfUrl();
  return form.service || place.value.query.size > 0 ? form : { ...form, service: stored('service') ?? '' };
};

interface Props {
  busy: boolean;
  fault: Fault | undefined;
  onFind: (form: Form) => void;
}

export function SearchForm({ busy, fault, onFind }: Props) {
  const [form, setForm] = useState(initial);
  const [error, setError] = useState('');
  const [touched, setTouched] = useState(false); // since the fault was found
  useEffect(() => setForm(initial()), [place.value]);
  useEffect(() => setTouched(false), [fault]);
  const set = (change: Partial<Form>) => {
    setError('');
    if (change.filter !== undefined) setTouched(true);
    setForm((now) => ({ ...now, ...change }));
  };
  const submit = (event: Event) => {
    event.preventDefault();
    try {
      if (!form.service && !form.filter.trim() && !capabilities.searchWithoutServiceName)
        throw new Error('Choose a service: this storage cannot search all of them.');
      findOf(form);
      onFind(form);
    } catch (e) {
      setError((e as Error).message);
    }
  };
  const shown = fault && !touched ? fault : undefined;
  return (
    <form onSubmit={submit} aria-label="Search">
      <ServiceField form={form} set={set} />
      <OperationField form={form} set={set} />
      <div class="field">
        <span>{terms.tags}</span>
        <Completing
          id="tags"
          label={terms.tags}
          placeholder='error=true http.route="/cart"'
          value={form.tags}
          invalid={error.includes('=')}
          onValue={(tags) => set({ tags })}
          placeOf={placeInTags}
          suggest={(at, signal) => tagSuggestions(at, form.service, signal)}
        />
      </div>
      <div class="field">
        <span>Filter</span>
        <Completing
          id="filter"
          label="Filter expression"
          placeholder="status = error and …"
          value={form.filter}
          invalid={!!shown}
          onValue={(filter) => set({ filter })}
          placeOf={placeInFilter}
          suggest={(at, signal) => filterSuggestions(at, form.service, signal)}
        />
        {shown && <FilterFault filter={form.filter} fault={shown} />}
      </div>
      <TimeField form={form} set={set} />
      <Durations form={form} set={set} />
      <OrderAndLimit form={form} set={set} />
      {error && (
        <p class="error-text" role="alert">
          {error}
        </p>
      )}
      <div class="row">
        <button class="main grow" id="find" disabled={busy}>
          Find traces
        </button>
        <button type="button" onClick={() => set({ ...EMPTY })}>
          Reset
        </button>
      </div>
      {!config.disableFileUploadControl && (
        <label class="button file">
          Open a file…
          <input
            class="sr"
            type="file"
            accept=".json,.jsonl"
            multiple
            onChange={(e) => void openFiles([...(e.currentTarget.files ?? [])])}
          />
        </label>
      )}
    </form>
  );
}
