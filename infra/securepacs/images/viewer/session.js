/* Who is signed in, a way out, an administrator's way to the status, and the automatic log-off: what is on the screen goes when the session does. */
(() => {
  'use strict';
  const OUT = '/oauth2/sign_out?rd=%2F';
  const KEPT_ALIVE_MS = 60_000;
  const LAST = 'securepacs.last';
  let asked = Date.now();
  let idle = 15 * 60_000; // until the server says otherwise

  // All tabs share it: who works in one is not idle in another. A wheel turns often, and each write is told to every tab.
  let touched = 0;
  const touch = () => {
    const now = Date.now();
    if (Math.abs(now - touched) >= 1000) {
      touched = now;
      localStorage.setItem(LAST, String(now));
    }
  };
  const last = () => Number(localStorage.getItem(LAST)) || 0;

  const leave = () => window.location.replace(OUT);

  const ask = async () => {
    asked = Date.now();
    try {
      const answer = await fetch('/session', { cache: 'no-store' });
      if (answer.status === 401) {
        window.location.reload();
      }
      return answer.ok ? await answer.json() : null;
    } catch {
      return null; // no network: the clock below goes on
    }
  };

  const active = () => {
    touch();
    // Work on what is loaded already asks nothing of the server, and yet is work.
    if (Date.now() - asked > Math.min(KEPT_ALIVE_MS, idle / 3)) {
      ask();
    }
  };

  const show = session => {
    const bar = document.createElement('aside');
    bar.id = 'session';
    bar.setAttribute('aria-label', 'Session');
    const who = document.createElement('span');
    who.textContent = session.user;
    const link = (text, to) => {
      const made = document.createElement('a');
      made.href = to;
      made.textContent = text;
      return made;
    };
    bar.append(who, ...(session.role === 'admin' ? [link('Status', '/status')] : []), link('Sign out', OUT));
    document.body.append(bar);
  };

  const begin = async () => {
    touch();
    for (const event of ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart']) {
      window.addEventListener(event, active, { capture: true, passive: true });
    }
    setInterval(() => {
      if (Date.now() - last() >= idle) {
        leave();
      }
    }, 1000);
    let session = await ask();
    while (!session) {
      await new Promise(resolve => setTimeout(resolve, 5000));
      session = await ask();
    }
    idle = session.idle_minutes * 60_000;
    show(session);
  };

  // The browser's back button shows a page from memory: whether it may is asked anew.
  window.addEventListener('pageshow', event => {
    if (event.persisted) {
      document.documentElement.hidden = true;
      window.location.reload();
    }
  });
  begin();
})();
