// SPDX-License-Identifier: Apache-2.0
// A text field with completions below it: a combobox as ARIA describes it. Tab or Enter takes one, Esc closes.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Place } from '../search/complete';
import type { Suggestion } from '../search/suggest';

interface Props {
  id: string;
  label: string;
  placeholder: string;
  value: string;
  invalid: boolean;
  onValue: (text: string) => void;
  placeOf: (text: string, caret: number) => Place;
  suggest: (place: Place, signal: AbortSignal) => Promise<Suggestion[]>;
}

const WAIT_MS = 80;

export function Completing({ id, label, placeholder, value, invalid, onValue, placeOf, suggest }: Props) {
  const input = useRef<HTMLTextAreaElement>(null);
  const [list, setList] = useState<{ items: Suggestion[]; place: Place }>();
  const [active, setActive] = useState(-1);
  const running = useRef<AbortController>();
  const timer = useRef(0);
  const close = () => {
    running.current?.abort();
    clearTimeout(timer.current);
    setList(undefined);
    setActive(-1);
  };
  useEffect(() => close, []);
  useEffect(() => {
    const element = input.current;
    if (!element) return;
    element.style.height = '0';
    element.style.height = `${element.scrollHeight + 2}px`;
  }, [value]);

  const look = () => {
    clearTimeout(timer.current);
    running.current?.abort();
    const abort = new AbortController();
    running.current = abort;
    timer.current = window.setTimeout(() => {
      const element = input.current;
      if (!element) return;
      const place = placeOf(element.value, element.selectionStart);
      suggest(place, abort.signal).then(
        (items) => {
          if (abort.signal.aborted || document.activeElement !== element) return;
          setList(items.length > 0 ? { items, place } : undefined);
          setActive(-1);
        },
        () => setList(undefined),
      );
    }, WAIT_MS);
  };
  const take = (suggestion: Suggestion, place: Place) => {
    const element = input.current!;
    const rest = element.value.slice(place.to);
    const text = element.value.slice(0, place.from) + suggestion.insert + rest.replace(/^ /, '');
    const caret = place.from + suggestion.insert.length;
    close();
    // At once, so that what is typed next finds the caret in its place.
    element.value = text;
    element.setSelectionRange(caret, caret);
    onValue(text);
    element.focus();
    look();
  };
  const onKey = (e: KeyboardEvent) => {
    if (e.key === 'Enter' && !(list && active >= 0)) {
      e.preventDefault();
      close();
      input.current?.form?.requestSubmit();
      return;
    }
    if (e.key === 'ArrowDown' && !list) look();
    if (!list) return;
    const n = list.items.length;
    if (e.key === 'ArrowDown') setActive((active + 1) % n);
    else if (e.key === 'ArrowUp') setActive((active + n - (active < 0 ? 0 : 1)) % n);
    else if (e.key === 'Enter' || (e.key === 'Tab' && active >= 0)) take(list.items[active], list.place);
    else if (e.key === 'Escape') close();
    else return;
    e.preventDefault();
    e.stopPropagation();
  };
  return (
    <div class="completing">
      <textarea
        ref={input}
        id={id}
        rows={1}
        role="combobox"
        aria-label={label}
        aria-autocomplete="list"
        aria-expanded={!!list}
        aria-controls={`${id}-list`}
        aria-activedescendant={list && active >= 0 ? `${id}-${active}` : undefined}
        aria-invalid={invalid}
        autocomplete="off"
        spellcheck={false}
        placeholder={placeholder}
        value={value}
        onInput={(e) => {
          onValue(e.currentTarget.value.replace(/\n/g, ' '));
          look();
        }}
        onFocus={look}
        onBlur={close}
        onKeyDown={onKey}
      />
      <ul id={`${id}-list`} role="listbox" aria-label={`${label}: suggestions`} hidden={!list}>
        {list?.items.map((s, i) => (
          <li
            key={s.text}
            id={`${id}-${i}`}
            role="option"
            aria-selected={i === active}
            ref={i === active ? (element) => element?.scrollIntoView({ block: 'nearest' }) : undefined}
            onPointerDown={(e) => {
              e.preventDefault();
              take(s, list.place);
            }}
          >
            <span class="cut grow">{s.text}</span>
            {s.hint && <span class="soft">{s.hint}</span>}
          </li>
        ))}
      </ul>
    </div>
  );
}
