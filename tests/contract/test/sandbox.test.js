// The sandbox of the vendors takes the samples, and answers as the documents say. (No other test
// here needs it: the plugins are judged by the documents alone.)
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Contract } from '../lib/contract.js';
import { VENDORS } from '../lib/documents.js';
import { Sandbox } from '../lib/sandbox.js';
import { requests } from '../lib/samples.js';

// The sample ids of the documents, and those of the sandbox's own practice.
const IDS = [[/agent_5d1f(?=[?"]|$)/g, 'agent_5d1f0a9be37c4426a81b6e90c2'],
  [/llm_e1c2(?=\?)/g, 'llm_e1c2a5b7d0934f6f8a11c4d29b'], [/call_0b7e(?="|$)/g, 'call_live']];
// What the sandbox does not have, by its README; and what is judged in an order of its own below.
const LEFT_OUT = ['one booking', 'another time', 'a cancellation', 'a decision against a request',
  'a patient who did not come', 'marking as read', 'a booking by phone number only',
  'a booking without a place, with a number for texts',
  'slots of a long visit that is being moved'];
const CREATES = ['a hold', 'a webhook', 'a reminder by phone'];

const sandbox = {};
const contracts = {};
before(async () => {
  for (const vendor of Object.keys(VENDORS)) contracts[vendor] = await Contract.of(vendor);
  sandbox.it = await Sandbox.start();
  await sandbox.it.command('/clock', { now: '2027-03-15T09:00:00Z' });
  await sandbox.it.command('/retell/call', { call_id: 'call_live', events: ['call_started'] });
  await sandbox.it.command('/whatsapp/inbound', { from: '491713920042', text: 'Guten Tag' });
});
after(() => sandbox.it.stop());

async function judged(vendor, request, status) {
  const answer = await sandbox.it.send(vendor, request);
  const shown = JSON.stringify(answer.body)?.slice(0, 400);
  assert.equal(answer.status, status, shown);
  assert.deepEqual(contracts[vendor].answer(answer), [], shown);
  return answer.body;
}

function adapted(request) {
  const swap = (text) => IDS.reduce((out, [from, to]) => out?.replace(from, to), text);
  return { ...request, url: swap(request.url), body: swap(request.body) };
}

for (const vendor of Object.keys(VENDORS)) {
  const samples = requests('good').filter((one) => one.vendor === vendor
    && !LEFT_OUT.includes(one.name));
  for (const sample of samples)
    test(`${vendor}: ${sample.name}`, async () => {
      const creates = CREATES.includes(sample.name)
        || (vendor === 'calcom_v2' && sample.name === 'a booking');
      await judged(vendor, adapted(sample), creates ? 201 : 200);
    });
}

const V2 = [['cal-api-version', '2024-08-13']];
const booking = (kind, start) => JSON.stringify({ eventTypeId: kind, start,
  attendee: { name: 'Marlene Vogt', email: 'm@example.org', timeZone: 'Europe/Berlin' },
  bookingFieldsResponses: kind === 310458 ? { versicherung: 'privat' } : {} });

function v2(path, body, method = 'POST') {
  return { method, url: `https://api.cal.com/v2/bookings${path}`, auth: 'bearer', headers: V2, body };
}

test('calcom_v2: the life of a booking', async () => {
  const made = await judged('calcom_v2', v2('', booking(310456, '2027-03-30T06:00:00Z')), 201);
  await judged('calcom_v2', v2(`/${made.data.uid}`, undefined, 'GET'), 200);
  const moved = await judged('calcom_v2', v2(`/${made.data.uid}/reschedule`,
    JSON.stringify({ start: '2027-03-31T06:00:00Z' })), 201);
  const gone = await judged('calcom_v2', v2(`/${moved.data.uid}/cancel`,
    JSON.stringify({ cancellationReason: 'krank' })), 200);
  assert.equal(gone.data.status, 'cancelled');
  const list = await judged('calcom_v2', v2('?attendeeEmail=m%40example.org', undefined, 'GET'), 200);
  assert.equal(list.data.length, 2);
});

test('calcom_v2: a request and its decision', async () => {
  const asked = await judged('calcom_v2', v2('', booking(310458, '2027-03-30T12:00:00Z')), 201);
  assert.equal(asked.data.status, 'pending');
  await judged('calcom_v2', v2(`/${asked.data.uid}/decline`, '{"reason":"zu"}'), 200);
});

test('calcom_v1: the life of a booking', async () => {
  const at = (path) => ({ url: `https://cal.example/v1/bookings${path}`, auth: 'query:apiKey' });
  const body = JSON.stringify({ eventTypeId: 310456, start: '2027-04-01T06:00:00Z',
    timeZone: 'Europe/Berlin', language: 'de', metadata: {},
    responses: { name: 'M', email: 'm@example.org' } });
  const made = await judged('calcom_v1', { method: 'POST', ...at(''), body }, 200);
  await judged('calcom_v1', { method: 'GET', ...at(`/${made.id}`) }, 200);
  await judged('calcom_v1', { method: 'DELETE', ...at(`/${made.id}/cancel?cancellationReason=x`) },
    200);
});

test('retell: a whole call', async () => {
  await sandbox.it.command('/retell/call', { call_id: 'call_over', custom_analysis_data: { a: 1 } });
  const call = await judged('retell', { method: 'GET', auth: 'bearer',
    url: 'https://api.retellai.com/v2/get-call/call_over' }, 200);
  assert.equal(call.call_analysis.custom_analysis_data.a, 1);
  await judged('retell', { method: 'GET', auth: 'bearer',
    url: 'https://api.retellai.com/v2/get-call/unknown' }, 422);
});
