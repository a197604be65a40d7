// One case from the report to its end against the real server, by phones that share no code with it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as Automerge from '@automerge/automerge';
import { Phone } from '../src/phone.js';
import { Session, enrol, readQr } from '../src/session.js';
import { Testbed } from './testbed.js';

const EVENT = { triage: 1, dispatch: 2, accept: 3, arrive: 4, resolve: 5, comment: 28 };
const ACCEPTED = [0, []];
const [MAY_ROLE, CONTENT_UNSUPPORTED, STAGE_RESOLVED] = [8, 37, 6];
const [HAZARD, LEAD, UNIT, AREA, LEVEL_VILLAGE] = [1, 1, 1, 1, 3];
const phones = {};
let testbed, record, village;

const uuid = (hex) => hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
const bytes = (text) => Buffer.from(text.replaceAll('-', ''), 'hex');
const statuses = (verdicts) => verdicts.map(([status]) => status);

async function phone(who) {
  const { qr } = await testbed.ask('invite', { who });
  phones[who] = new Phone(await enrol(readQr(qr), 'Node'));
  await phones[who].sync();
  return phones[who];
}

/// Returns the path of the area with a statistical code, district first.
function pathOf({ directory }, code) {
  const areas = directory.filter(([kind]) => kind === AREA).map(([, fields]) => fields);
  const up = (area) => [...(area[2] ? up(areas.find(([id]) => id.equals(area[2]))) : []), area[0]];
  return up(areas.find(([, level, , version]) => level === LEVEL_VILLAGE && version[0] === code));
}

before(async () => {
  testbed = new Testbed();
  for (const who of ['volunteer-1', 'dispatcher', 'handler-gas']) await phone(who);
});
after(() => testbed.end());

test('report is accepted and triaged by rule', async () => {
  const volunteer = phones['volunteer-1'];
  village = pathOf(volunteer, 330105013003);
  assert.equal(village.length, 3);
  const fields = {
    title: '液化气瓶', category: 'gas', severity: 3, address: '武林路133号',
    'answer.gas_valve': '未关', position: '302741000,1201551000,12,3000,wgs84',
    description: '后厨存放5个液化气瓶。',
  };
  record = volunteer.report(HAZARD, village, fields, 1);
  assert.deepEqual(statuses(await volunteer.sync()), [ACCEPTED]);
  await volunteer.sync();
  const codes = volunteer.records.get(record).events.map(({ code }) => code);
  assert.ok(codes.includes(EVENT.triage), `triage among ${codes}`);
});

test('change outside the profile is void and the next one counts', async () => {
  const volunteer = phones['volunteer-1'];
  // A new assignment of the text makes a second container.
  volunteer.edit(record, (content) => (content.description = '后厨存放6个液化气瓶。'), 1);
  assert.deepEqual(statuses(await volunteer.sync()), [[2, [CONTENT_UNSUPPORTED]]]);
  const edit = (content) => {
    content.severity = 4;
    Automerge.updateText(content, ['description'], '后厨存放6个液化气瓶，软管老化。');
  };
  volunteer.edit(record, edit, 1);
  assert.deepEqual(statuses(await volunteer.sync()), [ACCEPTED]);
});

test('move without the right is void and counts in digests', async () => {
  const volunteer = phones['volunteer-1'];
  const data = [[UNIT, Buffer.alloc(16, 9)], LEAD, []];
  volunteer.event(record, EVENT.dispatch, data, 1);
  assert.deepEqual(statuses(await volunteer.sync()), [[2, [MAY_ROLE]]]);
});

test('dispatcher pulls the case and dispatches it', async () => {
  const dispatcher = phones.dispatcher;
  await dispatcher.sync();
  const { document, events } = dispatcher.records.get(record);
  assert.equal(document.description, '后厨存放6个液化气瓶，软管老化。');
  assert.deepEqual([document.title.val, document.severity], ['液化气瓶', 4]);
  const { unit } = await testbed.ask('unit', { unit: 'gas-company' });
  const before = events.length;
  const assignment = dispatcher.event(record, EVENT.dispatch, [[UNIT, bytes(unit)], LEAD, [], null, '请处置']);
  assert.deepEqual(statuses(await dispatcher.sync()), [ACCEPTED]);
  assert.equal(before, dispatcher.records.get(record).events.length, 'own events are not read twice');
  dispatcher.assignment = assignment;
});

test('handler pulls the case, works on it, and all are equal', async () => {
  const handler = phones['handler-gas'];
  await handler.sync();
  assert.ok(handler.records.get(record).document, 'the case arrives with its content');
  const steps = [EVENT.accept, EVENT.arrive, EVENT.resolve];
  for (const step of steps) handler.event(record, step, [phones.dispatcher.assignment, []]);
  handler.event(record, EVENT.comment, ['气瓶已全部运走', [], []]);
  assert.deepEqual(statuses(await handler.sync()), [ACCEPTED, ACCEPTED, ACCEPTED, ACCEPTED]);
  for (const who of Object.keys(phones)) await phones[who].sync();
  const [first, ...others] = Object.values(phones).map((one) => [...one.records.get(record).lines].sort());
  for (const lines of others) assert.deepEqual(lines, first);
  const seen = await testbed.ask('server_view', { record: uuid(record) });
  assert.deepEqual([seen.stage, seen.void, seen.held, seen.accepted], ['resolved', 2, 0, first.length - 2]);
  assert.deepEqual((await testbed.ask('server_verify')).wrong, []);
});

test('new phone of the same person loads everything', async () => {
  const again = await phone('dispatcher');
  assert.ok(again.records.get(record).events.some(({ code }) => code === EVENT.resolve));
});

test('neighbour sees the bulletin and not the case', async () => {
  const neighbour = await phone('neighbour');
  assert.equal(neighbour.records.get(record), undefined);
  const [, kind, category, stage] = neighbour.bulletins.find(([id]) => id.toString('hex') === record);
  assert.deepEqual([kind, category, stage], [HAZARD, 'gas', STAGE_RESOLVED]);
});

test('altered request is refused by code', async () => {
  const session = await Session.open(phones.dispatcher);
  session.key = Buffer.alloc(32);
  await assert.rejects(session.sync([1, [1, []], null, null, [], 0]), /session\.bad_mac/);
});

test('invitation that was never made is refused by code', async () => {
  const { qr } = await testbed.ask('invite', { who: 'guard' });
  const other = { ...readQr(qr), secret: Buffer.alloc(10) };
  await assert.rejects(enrol(other, 'Node'), /enrolment\.unknown/);
});
