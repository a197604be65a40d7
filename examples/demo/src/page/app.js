// The page of the demo. It keeps no data of its own: it shows what the phones hold and presses their buttons.
"use strict";

let lang = new URLSearchParams(location.search).get("lang") || (navigator.language.startsWith("zh") ? "zh" : "en");
let state = null;
let map = null;
let guideStep = 0;
const details = {};
const meet = { one: "volunteer-1", two: "volunteer-2" };
let opened = null;
const panels = {
  a: { phone: "volunteer-1", mode: "list", choices: ["volunteer-1", "volunteer-2", "lead"], drafts: {} },
  b: { phone: "worker", mode: "list", choices: ["worker", "supervisor", "gas", "urban", "volunteer-2"], drafts: {} },
  c: { phone: "dispatcher", mode: "list", choices: [], drafts: {} },
};

// --- words -------------------------------------------------------------------------------------------

function t(key, values = {}) {
  const both = WORDS[key];
  let text = both ? both[lang === "zh" ? 0 : 1] : key;
  for (const [name, value] of Object.entries(values)) text = text.replace(`{${name}}`, value);
  return text;
}
const own = (both) => (both ? both[lang] : "");
const category = (code) => (WORDS[`cat_${code}`] ? t(`cat_${code}`) : code);
const clock = (ms) => new Date(ms).toLocaleTimeString(lang === "zh" ? "zh-CN" : "en-GB", { hour: "2-digit", minute: "2-digit" });
const day = (ms) => new Date(ms).toLocaleString(lang === "zh" ? "zh-CN" : "en-GB", { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
const date = (ms) => new Date(ms).toLocaleDateString(lang === "zh" ? "zh-CN" : "en-GB", { month: "short", day: "numeric", timeZone: "Asia/Shanghai" });
const size = (bytes) => (bytes < 1000 ? `${bytes} B` : `${(bytes / 1000).toFixed(1)} kB`);

// --- elements ----------------------------------------------------------------------------------------

const SVG = "http://www.w3.org/2000/svg";
const IN_SVG = new Set(["svg", "polygon", "circle", "text", "title", "g", "path"]);
function h(tag, attributes, ...children) {
  const element = IN_SVG.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

function button(label, act, kind = "", more = {}) {
  return h("button", { type: "button", class: kind, onclick: act, ...more }, label);
}

// --- talking to the demo -----------------------------------------------------------------------------

async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(path);
  return answer.json();
}

const post = (path, body) => request(path, "POST", "application/json", JSON.stringify(body));

async function request(path, method, type, body) {
  const answer = await fetch(path, { method, headers: type ? { "content-type": type } : {}, body }).catch(() => null);
  if (!answer) {
    toast(t("lost"));
    return null;
  }
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    toast(said.says ? own(said.says) : String(answer.status));
    return null;
  }
  return said;
}

function toast(text) {
  const box = document.getElementById("toast");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { box.hidden = true; }, 6000);
}

let loading = false;
let again = false;
async function load() {
  if (loading) { again = true; return; }
  loading = true;
  try {
    state = await get("/api/state");
    for (const panel of Object.values(panels)) {
      const known = everything(phoneOf(panel)).some((row) => row.id === panel.record);
      if (panel.mode === "record" && !known) panel.mode = "list";
      if (panel.mode === "record") details[key(panel)] = await get(`/api/phones/${panel.phone}/records/${panel.record}`);
    }
    if (opened) {
      opened.page = await get(`/api/phones/${opened.phone}/records/${opened.record}`);
      const photo = opened.page.photos.find((one) => one.id === opened.id);
      if (photo && HERE.has(photo.state)) panels.c.sawPhotoOnce = true;
    }
    watchGuide();
    render();
  } catch (error) {
    toast(t("lost"));
  } finally {
    loading = false;
    if (again) { again = false; load(); }
  }
}

const phoneOf = (panel) => state.phones.find((phone) => phone.name === panel.phone);
const everything = (phone) => [...phone.rows, ...phone.visits];
const key = (panel) => `${panel.phone}/${panel.record}`;

// --- the guided path ---------------------------------------------------------------------------------

function watchGuide() {
  const a = phoneOf(panels.a);
  const tried = panels.a.tried;
  const row = tried && a.rows.find((one) => one.id === tried);
  const reached = [
    () => !a.online || row,
    () => row,
    () => row && row.ladder >= 1,
    () => row && !["reported", "triaged"].includes(row.stage),
    () => row && ["resolved", "verified", "closed", "followed_up"].includes(row.stage),
    () => panels.c.settledOnce,
    () => panels.c.answeredOnce,
    () => panels.c.foundOnce,
    () => panels.c.sawPhotoOnce,
    () => panels.c.metOnce,
  ];
  while (guideStep < reached.length && reached[guideStep]()) guideStep += 1;
}

function renderGuide() {
  const list = document.getElementById("guide");
  list.replaceChildren(...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((step) =>
    h("li", { class: step <= guideStep ? "done" : step === guideStep + 1 ? "next" : "", "aria-current": step === guideStep + 1 ? "step" : null }, t(`guide_${step}`))));
}

// --- one panel ---------------------------------------------------------------------------------------

function render() {
  document.documentElement.lang = lang === "zh" ? "zh-CN" : "en";
  for (const one of ["zh", "en"]) document.getElementById(one).setAttribute("aria-pressed", String(one === lang));
  for (const name of ["tagline", "foot"]) document.getElementById(name).textContent = t(name);
  document.getElementById("guide-title").textContent = t("guide_title");
  renderGuide();
  const focus = document.activeElement && document.activeElement.id;
  const scrolls = [...document.querySelectorAll("[data-scroll]")].map((one) => [one.dataset.scroll, one.scrollTop]);
  for (const [name, panel] of Object.entries(panels)) {
    document.getElementById(`panel-${name}`).replaceChildren(...draw(name, panel));
  }
  renderMeetings();
  renderPhoto();
  for (const [name, top] of scrolls) {
    const one = document.querySelector(`[data-scroll="${name}"]`);
    if (one) one.scrollTop = top;
  }
  const again = focus && document.getElementById(focus);
  if (again) again.focus({ preventScroll: true });
}

function draw(name, panel) {
  const phone = phoneOf(panel);
  const body = panel.mode === "report" ? reportForm(name, panel)
    : panel.mode === "plan" ? planForm(name, panel)
    : panel.mode === "record" ? recordPage(name, panel)
    : name === "c" ? roomList(name, panel, phone) : phoneList(name, panel, phone);
  return [bar(name, panel, phone), h("div", { class: "body", "data-scroll": `${name}-${panel.mode}-${panel.record || ""}` }, body), foot(name, panel, phone)];
}

function bar(name, panel, phone) {
  const who = name === "c" ? h("h2", {}, t("room")) : h("label", { class: "who" }, h("span", { class: "quiet" }, t("person")),
    h("select", { id: `who-${name}`, onchange: (event) => { panel.phone = event.target.value; panel.mode = "list"; panel.drafts.photos = []; load(); }, value: null },
      panel.choices.map((choice) => {
        const one = state.phones.find((other) => other.name === choice);
        return h("option", { value: choice, selected: choice === panel.phone }, own(one.role));
      })));
  const toggle = h("button", {
    type: "button", id: `net-${name}`, class: "switch", role: "switch", "aria-checked": String(phone.online),
    onclick: () => post(`/api/phones/${panel.phone}/online`, { online: !phone.online }),
  }, h("span", { class: "knob", "aria-hidden": "true" }), h("span", {}, t("network")));
  return h("div", { class: "bar" }, who, toggle, status(phone));
}

function status(phone) {
  const parts = [t(`conn_${phone.connection}`)];
  if (phone.undelivered) parts.push(t("undelivered", { n: phone.undelivered }));
  else if (phone.online && phone.equal) parts.push(t("equal"));
  const { files, bytes, minutes } = phone.files_left;
  if (files) parts.push(minutes ? t("photos_left_minutes", { n: files, m: minutes }) : t("photos_left", { n: files, size: size(bytes) }));
  return h("p", { class: `status ${phone.connection}${phone.undelivered || files ? " owes" : ""}`, "aria-live": "polite" }, parts.join(" · "));
}

function foot(name, panel, phone) {
  const bytes = t("traffic", { up: size(phone.bytes_up), down: size(phone.bytes_down) });
  const start = (mode, label) => button(t(label), () => open(mode), "primary", { id: `${mode}-${name}` });
  const open = async (mode) => {
    if (mode === "plan") panel.templates = await get(`/api/phones/${panel.phone}/templates`);
    panel.mode = mode;
    render();
    focusOn(`what-${name}`);
  };
  const visitor = panel.tab === "visits" && !["gas", "urban", "supervisor"].includes(panel.phone);
  const act = panel.mode !== "list" || name === "c" ? null
    : visitor ? start("plan", "plan") : panel.tab === "visits" ? null : start("report", "report");
  return h("div", { class: "ground" }, act, h("p", { class: "quiet" }, bytes));
}

function focusOn(id) {
  const element = document.getElementById(id);
  if (element) element.focus();
}

// --- lists -------------------------------------------------------------------------------------------

function phoneList(name, panel, phone) {
  return [tabs(name, panel, phone), panel.tab === "visits" ? visitList(name, panel, phone) : list(name, panel, phone)];
}

function tabs(name, panel, phone) {
  const one = (tab, count) => h("button", { type: "button", class: "tab", id: `tab-${name}-${tab}`, "aria-pressed": String(tab === (panel.tab || "cases")), onclick: () => { panel.tab = tab; render(); } }, t(`tab_${tab}`, { n: count }));
  return h("div", { class: "tabs", role: "group", "aria-label": t("lists") }, one("cases", phone.rows.length), one("visits", phone.visits.length));
}

function roomList(name, panel, phone) {
  const open = phone.rows.filter((row) => row.open).length;
  const conflicts = phone.rows.filter((row) => row.conflicts).length;
  return [h("div", { class: "desk" },
    h("div", { class: "mapbox" }, picture(phone.rows, (row) => openRecord(panel, row.id)), caption()),
    h("div", { class: "cases" },
      h("p", { class: "counts" }, h("span", { class: "count" }, t("open_cases", { n: open })), conflicts ? h("span", { class: "count warn" }, t("in_conflict", { n: conflicts })) : null),
      phoneList(name, panel, phone)))];
}

function list(name, panel, phone) {
  if (!phone.rows.length) return h("p", { class: "empty" }, t("empty"));
  return h("ul", { class: "rows" }, phone.rows.map((row) => h("li", {},
    h("button", { type: "button", class: `row${row.open ? "" : " over"}`, id: `row-${name}-${row.id}`, onclick: () => openRecord(panel, row.id) },
      h("span", { class: "title" }, row.title),
      h("span", { class: "facts" }, chip(t(`stage_${row.stage}`), `stage ${row.open ? "" : "ended"}`), severityChip(row.severity), h("span", { class: "quiet" }, category(row.category)),
        row.photos ? chip(t("photos_n", { n: row.photos }), "note") : null,
        row.conflicts ? chip(t("conflict"), "warn") : null, row.needs_review ? chip(t("review"), "warn") : null),
      row.mine || row.undelivered ? ladder(row) : null))));
}

function visitList(name, panel, phone) {
  if (!phone.visits.length) return h("p", { class: "empty" }, t("empty_visits"));
  const counts = phone.counts.map((one) => h("span", { class: "count" }, t("visit_counts", { who: own(one.name), done: one.done, vain: one.in_vain, left: one.planned })));
  return [h("p", { class: "counts" }, counts), h("ul", { class: "rows" }, phone.visits.map((row) => h("li", {},
    h("button", { type: "button", class: `row${row.open ? "" : " over"}`, id: `row-${name}-${row.id}`, onclick: () => openRecord(panel, row.id) },
      h("span", { class: "title" }, row.title || t("hidden_name")),
      h("span", { class: "facts" }, chip(t(`stage_${row.stage}`), `stage ${row.open ? "" : "ended"}`), h("span", { class: "quiet" }, own(row.checklist)),
        row.conflicts ? chip(t("conflict"), "warn") : null, row.undelivered ? chip(t("waiting"), "note") : null),
      h("span", { class: "quiet" }, visitTime(row))))))];
}

function visitTime(row) {
  const parts = row.open ? [row.planned_ms ? t("planned_for", { t: day(row.planned_ms) }) : ""] : [row.ended_ms ? day(row.ended_ms) : ""];
  if (row.next_due_ms) parts.push(t("next_due", { t: date(row.next_due_ms - 1) }));
  return parts.filter(Boolean).join(" · ");
}

const chip = (text, kind) => h("span", { class: `chip ${kind}` }, text);
const severityChip = (severity) => (severity ? chip(t(`severity_${severity}`), `severity ${severity}`) : null);

function ladder(row) {
  if (row.ladder === 4) return h("span", { class: "ladder" }, h("span", { class: "rung now" }, t("ladder_4")));
  const rungs = [0, 1, 2, 3].map((rung) => h("span", { class: rung < row.ladder ? "rung past" : rung === row.ladder ? "rung now" : "rung" }, t(`ladder_${rung}`)));
  return h("span", { class: "ladder", role: "img", "aria-label": `${t("ladder")}: ${t(`ladder_${row.ladder}`)}` }, rungs);
}

async function openRecord(panel, id) {
  panel.mode = "record";
  panel.record = id;
  details[key(panel)] = await get(`/api/phones/${panel.phone}/records/${id}`);
  render();
  const isCase = phoneOf(panel).rows.some((row) => row.id === id);
  if (isCase && ["dispatcher", "gas", "urban"].includes(panel.phone)) await post(`/api/phones/${panel.phone}/records/${id}/open`, {});
}

// --- the map -----------------------------------------------------------------------------------------

function picture(rows, choose, pick, at) {
  const villages = [...new Set(map.grids.map((grid) => grid.village_code))];
  const grids = map.grids.map((grid) => h("polygon", { points: grid.points.map((p) => p.join(",")).join(" "), class: `grid v${villages.indexOf(grid.village_code) % 7}` }, h("title", {}, grid.name)));
  const names = villages.map((code) => {
    const points = map.grids.filter((grid) => grid.village_code === code).flatMap((grid) => grid.points);
    const [x, y] = [0, 1].map((axis) => points.reduce((sum, p) => sum + p[axis], 0) / points.length);
    return h("text", { x, y, class: "village" }, map.grids.find((grid) => grid.village_code === code).village.replace("社区", ""));
  });
  const marks = rows.filter((row) => row.at).sort((p, q) => p.open - q.open).map((row) => {
    const label = `${row.title} · ${t(`stage_${row.stage}`)}`;
    const go = (event) => { if (event.type === "click" || event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(row); } };
    return h("circle", { cx: row.at[0], cy: row.at[1], r: row.open ? 11 : 7, class: `mark ${row.conflicts ? "clash" : row.open ? "open" : "over"}`, tabindex: 0, role: "button", "aria-label": label, onclick: go, onkeydown: go }, h("title", {}, label));
  });
  const here = at ? h("circle", { cx: at[0], cy: at[1], r: 12, class: "mark here" }) : null;
  const chart = h("svg", { viewBox: `0 0 ${map.width} ${map.height}`, class: pick ? "map pick" : "map", role: "group", "aria-label": `${t("map_title")} (${t("schematic")})` }, grids, names, marks, here);
  if (pick) {
    chart.addEventListener("click", (event) => {
      const spot = new DOMPoint(event.clientX, event.clientY).matrixTransform(chart.getScreenCTM().inverse());
      pick([spot.x, spot.y]);
    });
  }
  return chart;
}

const caption = () => h("p", { class: "caption" }, t("map_title"), " ", chip(t("schematic"), "note"));

function middle(grid) {
  const [x, y] = [0, 1].map((axis) => grid.points.reduce((sum, p) => sum + p[axis], 0) / grid.points.length);
  return [x, y];
}

// --- reporting ---------------------------------------------------------------------------------------

const CATEGORIES = ["gas", "fire_lane", "ebike", "wire", "building", "tree", "rubbish", "street_trading", "occupied_road"];

function reportForm(name, panel) {
  const drafts = panel.drafts;
  if (drafts.grid === undefined) drafts.grid = map.grids.findIndex((grid) => grid.name.startsWith("竹竿巷第1"));
  if (!drafts.at) drafts.at = middle(map.grids[drafts.grid]);
  const keep = (field) => (event) => { drafts[field] = event.target.value; };
  const send = async (event) => {
    event.preventDefault();
    if (!(drafts.title || "").trim()) { toast(t("need_title")); focusOn(`what-${name}`); return; }
    const photos = (drafts.photos || []).map((photo) => ({ id: photo.id, caption: photo.caption || "" }));
    const done = await post(`/api/phones/${panel.phone}/report`, {
      title: drafts.title, description: drafts.more || "", category: drafts.category || "gas", severity: drafts.severity || null, at: drafts.at, photos,
    });
    if (!done) return;
    if (name === "a" && !phoneOf(panel).online) panel.tried = done.record;
    panel.drafts = {};
    panel.mode = "list";
    load();
  };
  return h("form", { class: "form", onsubmit: send },
    h("h3", {}, t("report")),
    field(t("what"), h("input", { id: `what-${name}`, value: drafts.title || "", placeholder: t("what_hint"), maxlength: 80, oninput: keep("title") })),
    field(t("kind"), h("select", { id: `kind-${name}`, onchange: keep("category") }, CATEGORIES.map((code) => h("option", { value: code, selected: code === (drafts.category || "gas") }, category(code))))),
    field(t("severity"), severitySelect(`sev-${name}`, drafts.severity || "", keep("severity"))),
    photoPicker(name, panel, true),
    field(t("more"), h("textarea", { id: `more-${name}`, rows: 2, maxlength: 500, value: drafts.more || "", oninput: keep("more") })),
    field(t("where"), h("select", { id: `grid-${name}`, onchange: (event) => { drafts.grid = Number(event.target.value); drafts.at = middle(map.grids[drafts.grid]); render(); } },
      map.grids.map((grid, at) => h("option", { value: at, selected: at === drafts.grid }, grid.name)))),
    h("div", { class: "mapbox" }, picture([], null, (at) => { drafts.at = at; render(); }, drafts.at), caption()),
    h("div", { class: "actions" }, h("button", { type: "submit", class: "primary", id: `send-${name}` }, t("save")), button(t("cancel"), () => { panel.mode = "list"; render(); })));
}

const field = (label, input) => h("label", { class: "field" }, h("span", {}, label), input);

function severitySelect(id, chosen, onchange) {
  return h("select", { id, onchange }, ["", "general", "elevated", "serious", "critical"].map((one) =>
    h("option", { value: one, selected: one === (chosen || "") }, t(`severity_${one || "none"}`))));
}

// --- visits ------------------------------------------------------------------------------------------

function planForm(name, panel) {
  const drafts = panel.drafts;
  if (drafts.grid === undefined) drafts.grid = map.grids.findIndex((grid) => grid.name.startsWith("竹竿巷第1"));
  if (!drafts.at) drafts.at = middle(map.grids[drafts.grid]);
  const templates = panel.templates || [];
  const known = templates.find((one) => one.id === "care_visit") || templates[0];
  const send = async (event) => {
    event.preventDefault();
    if (!(drafts.whom || "").trim()) { toast(t("need_whom")); focusOn(`what-${name}`); return; }
    const done = await post(`/api/phones/${panel.phone}/visit`, { template: drafts.template || known.id, title: drafts.whom, at: drafts.at });
    if (!done) return;
    panel.drafts = {};
    await openRecord(panel, done.record);
    load();
  };
  return h("form", { class: "form", onsubmit: send },
    h("h3", {}, t("plan")),
    field(t("checklist"), h("select", { id: `template-${name}`, onchange: (event) => { drafts.template = event.target.value; } },
      templates.map((one) => h("option", { value: one.id, selected: one.id === (drafts.template || known.id) }, own(one.title))))),
    field(t("whom"), h("input", { id: `what-${name}`, value: drafts.whom || "", placeholder: t("whom_hint"), maxlength: 80, oninput: (event) => { drafts.whom = event.target.value; } })),
    field(t("where"), h("select", { id: `grid-${name}`, onchange: (event) => { drafts.grid = Number(event.target.value); drafts.at = middle(map.grids[drafts.grid]); render(); } },
      map.grids.map((grid, at) => h("option", { value: at, selected: at === drafts.grid }, grid.name)))),
    h("div", { class: "mapbox" }, picture([], null, (at) => { drafts.at = at; render(); }, drafts.at), caption()),
    h("div", { class: "actions" }, h("button", { type: "submit", class: "primary", id: `send-${name}` }, t("save")), button(t("cancel"), () => { panel.mode = "list"; render(); })));
}

function visitPage(name, panel, page, base) {
  const { row, form } = page;
  const listed = phoneOf(panel).visits.find((one) => one.id === row.id) || {};
  const facts = [own(form.checklist), t("version", { n: form.version }), page.grid].filter(Boolean).join(" · ");
  const times = [visitTime({ ...listed, open: row.open, planned_ms: form.planned_ms, next_due_ms: form.next_due_ms }),
    form.duration_ms ? t("duration", { n: Math.max(1, Math.round(form.duration_ms / 60000)) }) : ""].filter(Boolean).join(" · ");
  return [
    h("div", { class: "crumb" }, button(`‹ ${t("back")}`, () => { panel.mode = "list"; panel.tab = "visits"; render(); }, "plain", { id: `back-${name}` })),
    h("h3", {}, form.subject || row.title || t("hidden_name")),
    h("p", { class: "facts" }, chip(t(`stage_${row.stage}`), `stage ${row.open ? "" : "ended"}`), h("span", { class: "quiet" }, facts)),
    times ? h("p", { class: "quiet" }, times) : null,
    row.mine || row.undelivered ? ladder(row) : null,
    linkedRecords(name, panel, page),
    conflictCards(name, panel, page, base),
    undoBar(panel, row, base),
    progressBar(form),
    form.read_only ? h("p", { class: "assignment quiet" }, own(form.read_only)) : null,
    h("div", { class: "questions" }, form.questions.map((one) => questionBox(name, panel, page, base, one))),
    stepBox(name, panel, page, base),
    h("h4", {}, t("timeline")),
    h("ol", { class: "timeline" }, form.story.map(storyLine)),
  ];
}

function progressBar(form) {
  const { answered, required } = form.progress || {};
  if (!required) return null;
  return h("p", { class: "progress" }, h("progress", { max: required, value: String(answered), "aria-label": t("progress", { n: answered, of: required }) }), h("span", { class: "quiet" }, t("progress", { n: answered, of: required })));
}

function questionBox(name, panel, page, base, one) {
  const deep = { class: `question depth-${Math.min(one.depth, 2)} ${one.type}` };
  if (one.type === "section") return h("h4", deep, own(one.label));
  if (one.type === "note") return h("p", deep, own(one.label));
  const send = async (what, given) => {
    const done = await post(`${base}/${what}`, { form: given });
    if (done) { panels.c.answeredOnce = true; await load(); }
    return done;
  };
  if (one.type === "repeat") {
    return h("div", deep, h("h4", {}, own(one.label)), page.form.read_only ? null : button(t("add_row"), () => send("add_row", { key: one.key }), "", { id: `add-${name}-${one.key}` }));
  }
  const id = `q-${name}-${one.key}`;
  const missing = one.problem && one.problem.code === "form.required";
  const shown = one.problem && (!missing || panel.tried_finish === key(panel));
  const answered = one.answer !== null && !page.form.read_only;
  return h("div", { ...deep, role: "group", "aria-labelledby": `l-${id}`, "data-question": one.key },
    h("p", { id: `l-${id}`, class: "label" }, own(one.label), one.required ? h("span", { class: "must", title: t("must") }, " *") : null),
    one.hint ? h("p", { class: "quiet" }, own(one.hint)) : null,
    answerInput(id, panel, page, one, (answer) => send("answer", { key: one.key, answer })),
    shown ? h("p", { class: "problem", role: "status" }, own(one.problem)) : null,
    h("div", { class: "actions" },
      answered ? button(t("to_hazard"), () => { panel.finding = panel.finding === one.key ? null : one.key; render(); focusOn(`find-${name}`); }, "plain", { id: `flag-${id}` }) : null,
      one.row && one.key.startsWith(firstOfRow(page, one.row)) ? button(t("remove_row"), () => send("remove_row", { key: one.row }), "plain") : null),
    panel.finding === one.key ? findingForm(name, panel, base, one) : null);
}

const firstOfRow = (page, row) => page.form.questions.find((one) => one.row === row).key;

const choicesOf = (one) => (one.type === "yes_no" ? ["yes", "no"].map((id) => ({ id, label: { zh: WORDS[id][0], en: WORDS[id][1] } })) : one.choices);

function answerWords(page, field, value) {
  const one = page.form && page.form.questions.find((question) => `answer.${question.key}` === field);
  if (!one) return value;
  const choices = choicesOf(one);
  const words = String(value).split(" ").map((id) => choices.find((choice) => choice.id === id)).filter(Boolean).map((choice) => own(choice.label));
  return words.length ? words.join(lang === "zh" ? "、" : ", ") : value;
}

function answerInput(id, panel, page, one, save) {
  const locked = Boolean(page.form.read_only);
  if (["one", "yes_no", "many"].includes(one.type)) {
    const chosen = new Set((one.answer || "").split(" ").filter(Boolean));
    const press = (choice) => {
      if (one.type !== "many") return save(chosen.has(choice) ? null : choice);
      if (chosen.has(choice)) chosen.delete(choice); else chosen.add(choice);
      return save(one.choices.map((each) => each.id).filter((each) => chosen.has(each)).join(" ") || null);
    };
    return h("div", { class: "choices" }, choicesOf(one).map((choice) => h("button", { type: "button", class: "choice", id: `${id}-${choice.id}`, disabled: locked, "aria-pressed": String(chosen.has(choice.id)), onclick: () => press(choice.id) }, own(choice.label))));
  }
  if (["position", "photo"].includes(one.type)) return h("p", { class: "quiet" }, one.answer || t(`by_app_${one.type}`));
  const drafts = panel.drafts;
  const kinds = { date: "date", time: "time" };
  const plain = (value) => (one.type === "number" && value.trim() && Number.isFinite(Number(value)) ? String(Number(value)) : value);
  const keep = async (event) => { const value = event.target.value; delete drafts[id]; await save(plain(value) || null); };
  return h("div", { class: "pair" },
    h("input", { id, type: kinds[one.type] || "text", inputmode: one.type === "number" ? "decimal" : null, "aria-labelledby": `l-${id}`, disabled: locked, maxlength: 500, value: drafts[id] !== undefined ? drafts[id] : one.answer || "", oninput: (event) => { drafts[id] = event.target.value; }, onchange: keep }),
    one.unit ? h("span", {}, own(one.unit)) : null);
}

function findingForm(name, panel, base, one) {
  const drafts = panel.drafts;
  const send = async () => {
    const title = (drafts.finding || "").trim();
    if (!title) { toast(t("need_title")); focusOn(`find-${name}`); return; }
    const done = await post(`${base}/finding`, { form: { key: one.key, title, category: drafts.findingKind || "gas", severity: "serious", lang } });
    if (!done) return;
    drafts.finding = "";
    panel.finding = null;
    panels.c.foundOnce = true;
    load();
  };
  return h("div", { class: "moves finding" },
    field(t("what"), h("input", { id: `find-${name}`, value: drafts.finding || "", placeholder: t("what_hint"), maxlength: 80, oninput: (event) => { drafts.finding = event.target.value; } })),
    field(t("kind"), h("select", { id: `find-kind-${name}`, onchange: (event) => { drafts.findingKind = event.target.value; } }, CATEGORIES.map((code) => h("option", { value: code, selected: code === (drafts.findingKind || "gas") }, category(code))))),
    button(t("report"), send, "primary", { id: `find-send-${name}` }));
}

function linkedRecords(name, panel, page) {
  if (!page.linked.length) return null;
  const known = (one) => everything(phoneOf(panel)).some((row) => row.id === one.id);
  const title = (one) => (one.kind === "visit" ? t("from_visit") : one.title);
  return h("section", { class: "linked", "aria-label": t("linked") }, h("h4", {}, t("linked")), page.linked.map((one) => one.kind === "note"
    ? h("p", { class: "private" }, chip(t("private"), "note"), " ", one.text)
    : h("p", { class: "facts" }, known(one) ? button(title(one), () => openRecord(panel, one.id), "plain", { id: `linked-${name}-${one.id}` }) : h("span", {}, title(one)), chip(t(`stage_${one.stage}`), `stage ${one.open ? "" : "ended"}`))));
}

function stepBox(name, panel, page, base) {
  if (!page.moves.length) return null;
  const drafts = panel.drafts;
  const can = (move) => page.moves.find((one) => one.move === move);
  const send = async (move, given = {}) => {
    if (move === "finish") panel.tried_finish = key(panel);
    const done = await post(`${base}/act`, { move, given });
    if (done) drafts.words = "";
    load();
  };
  const words = () => (drafts.words || "").trim();
  const needWords = (then) => { if (words()) then(); else { toast(t("need_words")); focusOn(`words-${name}`); } };
  const note = async () => { if (await post(`${base}/note`, { form: { text: words() } })) { drafts.words = ""; load(); } };
  const say = async () => { if (await post(`${base}/comment`, { given: { text: words() } })) { drafts.words = ""; load(); } };
  const writes = !page.form.read_only;
  return h("section", { class: "moves" },
    h("div", { class: "actions" }, ["start", "finish"].filter(can).map((move) => button(t(`step_${move}`), () => send(move), "primary", { id: `do-${name}-${move}` }))),
    can("not_met") ? pair(`reason-${name}`, t("why"), can("not_met").reasons.map((reason) => [reason, t(`reason_${reason}`)]), t("step_not_met"), (reason) => send("not_met", { reason }), "") : null,
    h("input", { id: `words-${name}`, "aria-label": t("words_hint"), placeholder: t("words_hint"), maxlength: 500, value: drafts.words || "", oninput: (event) => { drafts.words = event.target.value; } }),
    h("div", { class: "actions" },
      writes ? button(t("save_note"), () => needWords(note), "", { id: `do-${name}-note` }) : null,
      button(t("say"), () => needWords(say), "", { id: `do-${name}-comment` }),
      can("cancel") ? button(t("step_cancel"), () => needWords(() => send("cancel", { text: words() })), "danger", { id: `do-${name}-cancel` }) : null));
}

function storyLine(entry) {
  return h("li", { class: `${entry.superseded ? "superseded" : ""}${entry.delivered ? "" : " waiting"}` },
    h("span", { class: "when" }, day(entry.at_ms)),
    h("span", { class: "deed" }, own(entry), entry.delivered ? null : [" ", chip(t("waiting"), "note")], entry.note ? h("q", {}, entry.note) : null, entry.why ? h("small", {}, own(entry.why)) : null));
}

// --- one record --------------------------------------------------------------------------------------

function recordPage(name, panel) {
  const page = details[key(panel)];
  if (!page) return h("p", { class: "empty" }, "…");
  const row = page.row;
  const base = `/api/phones/${panel.phone}/records/${row.id}`;
  if (page.form) return visitPage(name, panel, page, base);
  return [
    h("div", { class: "crumb" }, button(`‹ ${t("back")}`, () => { panel.mode = "list"; render(); }, "plain", { id: `back-${name}` })),
    h("h3", {}, row.title),
    h("p", { class: "facts" }, chip(t(`stage_${row.stage}`), `stage ${row.open ? "" : "ended"}`), severityChip(row.severity), h("span", { class: "quiet" }, [category(row.category), page.grid].filter(Boolean).join(" · "))),
    ladder(row),
    page.description ? h("p", { class: "description" }, page.description) : null,
    photoStrip(name, panel, page),
    page.assignments.map((one) => h("p", { class: "assignment" }, `${t("to")} ${own(one.to)} · ${t(`stage_${one.state}`)}`, one.resolve_by_ms ? ` · ${t("due", { t: day(one.resolve_by_ms) })}` : "")),
    page.merged_into ? h("p", { class: "assignment" }, t("merged_into")) : null,
    linkedRecords(name, panel, page),
    conflictCards(name, panel, page, base),
    undoBar(panel, row, base),
    moveBox(name, panel, page, base),
    h("h4", {}, t("timeline")),
    h("ol", { class: "timeline" }, page.timeline.map((entry, at) => event(name, panel, page, entry, at))),
    page.set_aside.length ? [h("h4", {}, t("set_aside")), h("ul", {}, page.set_aside.map((one) => h("li", {}, `${one.words} — ${own(one.why)}`)))] : null,
  ];
}

function conflictCards(name, panel, page, base) {
  if (!page.conflicts.length) return null;
  return h("section", { class: "conflicts", "aria-label": t("conflicts") }, h("h4", {}, t("conflicts")), page.conflicts.map((card) =>
    h("div", { class: "card" }, h("p", {}, card[lang]), card.field
      ? h("div", { class: "actions" }, card.choices.map((choice) => {
        const shown = WORDS[`severity_${choice.value}`] ? t(`severity_${choice.value}`) : answerWords(page, card.field, choice.value);
        return button(t("keep", { v: shown }), async () => {
          const done = await post(`${base}/settle`, { field: card.field, choice: choice.at });
          if (done) { panel.settled = { record: page.row.id, envelope: done.envelope }; panels.c.settledOnce = true; load(); }
        }, "", { id: `settle-${name}-${choice.at}` });
      }))
      : h("p", { class: "quiet" }, t("workflow_hint")))));
}

function undoBar(panel, row, base) {
  const settled = panel.settled;
  if (!settled || settled.record !== row.id) return null;
  return h("p", { class: "undo", role: "status" }, t("settled"), " ", button(t("undo"), async () => {
    const done = await post(`${base}/undo`, { settled: settled.envelope });
    panel.settled = null;
    if (done) load(); else render();
  }, "plain"));
}

const WITH_PHOTOS = new Set(["accept", "arrive", "resolve", "verify_pass", "verify_fail", "danger_remains"]);
const NEED_WORDS = new Set(["return", "withdraw", "reopen", "danger_remains"]);

function moveBox(name, panel, page, base) {
  const row = page.row;
  const drafts = panel.drafts;
  const wordsId = `words-${name}`;
  const others = phoneOf(panel).rows.filter((one) => one.id !== row.id && one.open);
  const taken = () => (drafts.photos || []).map((photo) => photo.id);
  const act = async (move, given) => {
    const text = (drafts.words || "").trim();
    const photos = WITH_PHOTOS.has(move.move) ? taken() : [];
    if (NEED_WORDS.has(move.move) && !text) { toast(t("need_words")); focusOn(wordsId); return; }
    const done = await post(`${base}/act`, { move: move.move, given: { assignment: move.assignment, text: text || null, photos, ...given } });
    if (done) { drafts.words = ""; if (photos.length) drafts.photos = []; load(); }
  };
  const say = async () => {
    const photos = taken();
    const given = { text: drafts.words || "", photos };
    const done = given.text.trim() || photos.length ? await post(`${base}/comment`, { given }) : (toast(t("need_words")), null);
    if (done) { drafts.words = ""; drafts.photos = []; load(); }
  };
  const plain = page.moves.filter((move) => !["dispatch", "merge"].includes(move.move));
  const can = (move) => page.moves.find((one) => one.move === move);
  return h("section", { class: "moves" },
    h("input", { id: wordsId, "aria-label": t("words_hint"), placeholder: t("words_hint"), maxlength: 500, value: drafts.words || "", oninput: (e) => { drafts.words = e.target.value; } }),
    photoPicker(name, panel, false),
    h("div", { class: "actions" },
      plain.map((move) => button(t(`move_${move.move}`), () => act(move, {}), move.move === "danger_remains" ? "danger" : ["accept", "arrive", "resolve", "verify_pass", "close"].includes(move.move) ? "primary" : "", { id: `do-${name}-${move.move}` })),
      button(t("say"), say, "", { id: `do-${name}-comment` })),
    can("dispatch") ? pair(`unit-${name}`, t("to"), state.units.map((unit) => [unit.id, own(unit.name)]), t("move_dispatch"), (unit) => act(can("dispatch"), { unit }), "primary") : null,
    can("merge") && others.length ? pair(`into-${name}`, t("into"), others.map((one) => [one.id, one.title]), t("move_merge"), (into) => act(can("merge"), { into }), "") : null,
    page.form ? null : h("label", { class: "pair" }, h("span", {}, t("severity_now")), severitySelect(`edit-${name}`, page.written_severity, async (e) => {
      if (e.target.value) await post(`${base}/edit`, { severity: e.target.value });
      load();
    })));
}

function pair(id, label, options, act, go, kind) {
  const select = h("select", { id, "aria-label": label }, options.map(([value, text]) => h("option", { value }, text)));
  return h("div", { class: "pair" }, h("span", {}, label), select, button(act, () => go(select.value), kind, { id: `go-${id}` }));
}

function event(name, panel, page, entry, at) {
  const what = t(at === 0 ? "event_reported" : `event_${entry.what}`, { n: entry.photos.length });
  const photos = page.photos.filter((photo) => entry.photos.includes(photo.id));
  return h("li", { class: `${entry.superseded ? "superseded" : ""}${entry.delivered ? "" : " waiting"}` },
    h("span", { class: "when" }, clock(entry.at_ms)),
    h("span", { class: "deed" }, h("strong", {}, own(entry.who)), " ", what, entry.to ? ` → ${own(entry.to)}` : "", entry.superseded ? [" ", chip(t("superseded"), "warn")] : null, entry.delivered ? null : [" ", chip(t("waiting"), "note")],
      entry.words ? h("q", {}, entry.words) : null, entry.why ? h("small", {}, own(entry.why)) : null,
      photos.length ? h("span", { class: "taken" }, photos.map((photo) => thumbnail(panel, page.row, photo, `t-${name}-${entry.id}`))) : null));
}

// --- photos ------------------------------------------------------------------------------------------

const HERE = new Set(["waiting", "delivered"]);
const photoPath = (phone, record, id, which) => `/api/phones/${phone}/records/${record}/photos/${id}/${which}`;
const captionOf = (photo) => photo.caption || t("photo");

// How far a photo has got on its way: on this phone, its small picture at the server, itself at the server.
function receipt(photo) {
  if (photo.refusal) return own(photo.refusal);
  if (photo.state === "waiting") return t(photo.described ? "photo_sent" : "photo_waiting");
  return t(`photo_${photo.state}`);
}

function thumbnail(panel, row, photo, prefix) {
  const id = `${prefix}-${photo.id}`;
  const label = `${captionOf(photo)} · ${receipt(photo)}`;
  return h("button", { type: "button", class: "row thumb", id, title: label, onclick: () => openPhoto(panel.phone, row.id, photo.id, id) },
    h("img", { src: photoPath(panel.phone, row.id, photo.id, "small"), alt: `${captionOf(photo)}. ${receipt(photo)}`, width: 224, height: 168 }));
}

function photoStrip(name, panel, page) {
  if (!page.photos.length) return null;
  return h("section", { class: "photos", "aria-label": t("photos") }, h("h4", {}, t("photos_n", { n: page.photos.length })), h("ul", {}, page.photos.map((photo) =>
    h("li", {}, thumbnail(panel, page.row, photo, `p-${name}`),
      h("span", { class: `receipt ${photo.state}` }, receipt(photo)),
      photo.place_removed ? h("span", { class: "receipt quiet" }, t("place_removed")) : null))));
}

function photoPicker(name, panel, captions) {
  const drafts = panel.drafts;
  const photos = drafts.photos || [];
  const base = `/api/phones/${panel.phone}/photos`;
  const keep = (done) => {
    if (!done) return;
    drafts.photos = [...(drafts.photos || []), done];
    render();
    focusOn(captions ? `caption-${name}-${done.id}` : `camera-${name}`);
  };
  const pick = async (event) => { for (const file of event.target.files) keep(await request(base, "POST", file.type || "image/unknown", file)); };
  const remove = async (photo) => {
    await request(`${base}/${photo.id}`, "DELETE");
    drafts.photos = photos.filter((other) => other.id !== photo.id);
    render();
    focusOn(`camera-${name}`);
  };
  return h("div", { class: "picker field", role: "group", "aria-label": t("photos") },
    captions ? h("span", {}, t("photos")) : null,
    h("div", { class: "actions" },
      button(t("take_photo"), async () => keep(await post(`${base}/sample`, { at: captions ? drafts.at : null, taken: photos.length })), "", { id: `camera-${name}` }),
      h("label", { class: "file" }, h("span", {}, t("choose_photo")), h("input", { type: "file", id: `file-${name}`, accept: "image/jpeg", multiple: true, onchange: pick }))),
    photos.length ? h("ul", {}, photos.map((photo, at) => h("li", {},
      h("img", { src: `${base}/${photo.id}`, alt: photo.caption || t("photo_number", { n: at + 1 }), width: 224, height: 168 }),
      h("div", { class: "about" },
        captions ? h("input", { id: `caption-${name}-${photo.id}`, "aria-label": t("caption_of", { n: at + 1 }), placeholder: t("caption_hint"), maxlength: 80, value: photo.caption || "", oninput: (e) => { photo.caption = e.target.value; } }) : null,
        h("p", { class: "quiet" }, [t("photo_waiting"), photo.place_removed ? t("place_removed") : ""].filter(Boolean).join(" · ")),
        button(t("remove_photo"), () => remove(photo), "plain", { "aria-label": `${t("remove_photo")} ${at + 1}` }))))) : null);
}

async function openPhoto(phone, record, id, opener) {
  const page = await get(`/api/phones/${phone}/records/${record}`).catch(() => null);
  if (!page || !page.photos.some((photo) => photo.id === id)) return;
  opened = { phone, record, id, opener, page };
  const photo = page.photos.find((one) => one.id === id);
  if (HERE.has(photo.state)) panels.c.sawPhotoOnce = true;
  else await post(`/api/phones/${phone}/records/${record}/want`, { photo: id });
  await load();
}

// The photo is shown again after every change, so a full photo replaces the small one when it arrives.
function renderPhoto() {
  const box = document.getElementById("photo");
  if (!opened) return;
  const { phone, record, page } = opened;
  const at = page.photos.findIndex((photo) => photo.id === opened.id);
  const photo = page.photos[at];
  const here = HERE.has(photo.state);
  const turn = (step) => { const next = page.photos[at + step]; if (next) openPhoto(phone, record, next.id, opened.opener); };
  const keys = (event) => { if (event.key === "ArrowLeft") turn(-1); if (event.key === "ArrowRight") turn(1); };
  const source = photoPath(phone, record, photo.id, here ? "full" : "small");
  const focus = document.activeElement && box.contains(document.activeElement) ? document.activeElement.id : null;
  const old = box.querySelector("img");
  const image = old && old.getAttribute("src") === source ? old : h("img", { src: source, width: photo.width || 960, height: photo.height || 720, class: here ? "full" : "full small" });
  image.setAttribute("alt", captionOf(photo));
  const facts = [here ? t("photo_full", { size: size(photo.bytes) }) : t("photo_small"), receipt(photo), photo.place_removed ? t("place_removed") : ""];
  box.onkeydown = keys;
  box.onclose = () => { const back = opened && opened.opener; opened = null; if (back) focusOn(back); };
  box.onclick = (event) => { if (event.target === box) box.close(); };
  box.replaceChildren(h("div", { class: "frame" }, h("h2", { id: "photo-title" }, captionOf(photo)), image, h("p", { class: "quiet", role: "status" }, facts.filter(Boolean).join(" · ")),
    h("div", { class: "actions" },
      page.photos.length > 1 ? [button("‹", () => turn(-1), "", { id: "photo-back", "aria-label": t("photo_before"), disabled: at === 0 }), h("span", { class: "quiet" }, `${at + 1} / ${page.photos.length}`), button("›", () => turn(1), "", { id: "photo-next", "aria-label": t("photo_after"), disabled: at === page.photos.length - 1 })] : null,
      button(t("close_photo"), () => box.close(), "primary", { id: "photo-close" }))));
  if (!box.open) { box.showModal(); focusOn("photo-close"); } else if (focus) focusOn(focus);
}

// --- meetings ----------------------------------------------------------------------------------------

function renderMeetings() {
  const role = (name) => own(state.phones.find((phone) => phone.name === name).role);
  const select = (which, label) => h("label", { class: "field" }, h("span", {}, t(label)), h("select", { id: `meet-${which}`, onchange: (event) => { meet[which] = event.target.value; } },
    state.phones.map((phone) => h("option", { value: phone.name, selected: phone.name === meet[which] }, own(phone.role)))));
  const go = async () => {
    if (meet.one === meet.two) { toast(t("meet_two")); focusOn("meet-two"); return; }
    const done = await post(`/api/phones/${meet.one}/meet`, { with: meet.two });
    if (!done) return;
    panels.c.metOnce = true;
    await load();
  };
  document.getElementById("meetings").replaceChildren(
    h("h2", { id: "meetings-title" }, t("meetings")), h("p", { class: "quiet" }, t("meetings_hint")),
    h("div", { class: "meet" }, select("one", "meet_one"), select("two", "meet_other"), button(t("meet"), go, "primary", { id: "meet-go" })),
    state.meetings.length ? h("ol", {}, state.meetings.map((meeting, at) => meetingItem(meeting, state.meetings.length - at, role))) : h("p", { class: "empty" }, t("no_meetings")));
}

function meetingItem(meeting, number, role) {
  const [caller, listener] = meeting.ends;
  return h("li", {}, h("h3", {}, t("met", { a: role(caller.phone), b: role(listener.phone) }), " ", h("span", { class: "quiet" }, clock(meeting.at_ms))),
    [listener, caller].map((end) => h("div", { class: "brought" },
      h("p", {}, t(end.records.length ? "brought" : end.envelopes ? "brought_news" : "brought_none", { who: role(end.phone), n: end.records.length, e: end.envelopes })),
      h("ul", {}, end.records.map((record) => h("li", {}, record.photos.map((photo) => thumbnail({ phone: end.phone }, record, photo, `m-${number}-${end.phone}`)),
        h("span", {}, h("strong", {}, record.title), h("span", { class: "quiet" }, record.photos.length ? ` ${t(record.photos.every((photo) => HERE.has(photo.state)) ? "with_full" : "with_small")}` : ""))))))));
}

// --- start -------------------------------------------------------------------------------------------

for (const one of ["zh", "en"]) document.getElementById(one).addEventListener("click", () => { lang = one; if (state) render(); });
(async () => {
  map = await get("/api/map");
  const events = new EventSource("/api/events");
  events.onmessage = load;
})();
