// Retell while a call is in progress: what the plugin pushes, and what the sandbox shows of the call
// at each stage, against the vendor's document. (Its repeat class is the plugin's own case files'.)
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { printed } from '../lib/cases.js';
import { Contract } from '../lib/contract.js';
import { Sandbox } from '../lib/sandbox.js';

const BASE = 'https://api.retellai.com';
const it = { asked: [] };

before(async () => {
  it.contract = await Contract.of('retell');
  it.sandbox = await Sandbox.start();
  it.listener = createServer((request, response) => {
    const pieces = [];
    request.on('data', (piece) => pieces.push(piece));
    request.on('end', () => {
      it.asked.push(JSON.parse(Buffer.concat(pieces)));
      response.end(JSON.stringify({ call_inbound: { dynamic_variables: { name: 'Jana' } }, say: 'Ja.' }));
    });
  });
  await new Promise((resolve) => { it.listener.listen(0, '127.0.0.1', resolve); });
  it.url = `http://127.0.0.1:${it.listener.address().port}/`;
});
after(async () => {
  it.listener.close();
  await it.sandbox.stop();
});

async function callAsDocumented(id, status) {
  const answer = await it.sandbox.send('retell', { method: 'GET', auth: 'bearer', url: `${BASE}/v2/get-call/${id}` });
  assert.equal(answer.status, 200);
  assert.deepEqual(it.contract.answer(answer), [], JSON.stringify(answer.body).slice(0, 600));
  assert.equal(answer.body.call_status, status);
  return answer.body;
}

async function update(id, body) {
  const request = { method: 'PATCH', auth: 'bearer', url: `${BASE}/v2/update-live-call/${id}`,
    content_type: 'application/json', headers: [], body: JSON.stringify(body) };
  assert.deepEqual(it.contract.request(request), []);
  const answer = await it.sandbox.send('retell', request);
  assert.deepEqual(it.contract.answer(answer), []);
  return answer.status;
}

test('update_call sets variables and metadata, and says things, as documented', async () => {
  const pushed = (await printed('requests', 'retell'))
    .filter(({ url }) => url.includes('/v2/update-live-call/'));
  const members = new Set();
  for (const one of pushed) {
    assert.deepEqual(it.contract.request(one), [], one.case);
    for (const [group, content] of Object.entries(JSON.parse(one.body)))
      for (const name of Object.keys(content)) members.add(`${group}.${name}`);
  }
  assert.deepEqual([...members].sort(), ['call_control.additional_context', 'call_control.trigger_response',
    'fields_to_override.metadata', 'fields_to_override.override_dynamic_variables']);
});

test('a call in progress is documented at every stage', async () => {
  const rung = await it.sandbox.command('/retell/inbound', { url: it.url, withheld: true });
  assert.equal(rung.outcome, 'answered');
  const id = rung.call_id;
  await callAsDocumented(id, 'registered');
  assert.equal(await update(id, { call_control: { additional_context: 'x' } }), 422);
  await it.sandbox.command('/retell/call', { call_id: id, events: ['call_started'] });
  await it.sandbox.command('/retell/say', { call_id: id, lines: [['user', 'Geht Donnerstag?']] });
  await it.sandbox.command('/retell/function', { call_id: id, name: 'check_availability',
    args: { day: 'Donnerstag' }, url: it.url });
  assert.equal(await update(id, { fields_to_override: { override_dynamic_variables: { slots: '18:00' } },
    call_control: { additional_context: '17:15 ist vergeben.', trigger_response: true } }), 200);
  const running = await callAsDocumented(id, 'ongoing');
  assert.deepEqual(running.transcript_with_tool_calls.map(({ role }) => role),
    ['user', 'tool_call_invocation', 'tool_call_result', 'injected']);
  assert.deepEqual(running.retell_llm_dynamic_variables, { name: 'Jana', slots: '18:00' });
  await it.sandbox.command('/retell/hangup', { call_id: id });
  const over = await callAsDocumented(id, 'ended');
  assert.equal(over.transcript_with_tool_calls.length, 4);
});

test('the envelope of a function shows the call as documented', async () => {
  const { call, ...rest } = it.asked.find((body) => body.name === 'check_availability');
  assert.deepEqual(rest, { name: 'check_availability', args: { day: 'Donnerstag' } });
  const shown = { method: 'GET', url: `${BASE}/v2/get-call/${call.call_id}`, status: 200, body: call };
  assert.deepEqual(it.contract.answer(shown), []);
  assert.equal(call.from_number, 'anonymous');
});
