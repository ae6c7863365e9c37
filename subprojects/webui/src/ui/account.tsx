// SPDX-License-Identifier: Apache-2.0
// Who is logged in, and the tenant whose traces are shown. Nothing is shown where the server knows neither.
import { useEffect, useState } from 'preact/hooks';
import { session, type Session } from '../lib/api';
import { prefix } from '../lib/router';

/** The server reads the tenant from a cookie of this page; its own check decides what it is worth. */
function change(s: Session, tenant: string): void {
  document.cookie = `${s.cookie}=${encodeURIComponent(tenant)}; path=${prefix}; SameSite=Strict`;
  location.reload();
}

const nameOf = (tenant: string): string => tenant || '(default tenant)';

function Tenant({ s }: { s: Session }) {
  const [text, setText] = useState('');
  if (s.anyTenant)
    return (
      <form
        class="row tenant"
        onSubmit={(e) => {
          e.preventDefault();
          change(s, text.trim());
        }}
      >
        <input
          aria-label="Tenant"
          title="Whose traces are shown: type a tenant and press Enter"
          placeholder={nameOf(s.tenant)}
          list="tenants"
          value={text}
          onInput={(e) => setText(e.currentTarget.value)}
        />
        <datalist id="tenants">
          {s.tenants.map((t) => (
            <option key={t} value={t} />
          ))}
        </datalist>
      </form>
    );
  if (s.tenants.length < 2) return s.tenant ? <span class="badge">{s.tenant}</span> : null;
  return (
    <select
      id="tenant"
      aria-label="Tenant"
      title="Whose traces are shown"
      value={s.tenant}
      onChange={(e) => change(s, e.currentTarget.value)}
    >
      {!s.tenants.includes(s.tenant) && <option value={s.tenant}>{nameOf(s.tenant)}</option>}
      {s.tenants.map((t) => (
        <option key={t} value={t}>
          {nameOf(t)}
        </option>
      ))}
    </select>
  );
}

export function Account() {
  const [s, setSession] = useState<Session>();
  useEffect(() => {
    session().then(setSession, () => undefined); // a foreign server has no such answer
  }, []);
  if (!s || (!s.user && !s.tenant && !s.anyTenant && s.tenants.length === 0)) return null;
  return (
    <div class="row account">
      <Tenant s={s} />
      {s.user && (
        <span class="soft cut" title={`Signed in as ${s.user}`} id="user">
          {s.user}
        </span>
      )}
    </div>
  );
}
