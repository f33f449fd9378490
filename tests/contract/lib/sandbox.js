// Our sandbox of the vendors as a process of its own, on a free port.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../../sdk/sandbox/klinke-sandbox', import.meta.url));

// As "vendor: [document's URL, sandbox's path, credential]".
const PLACES = {
  retell: ['https://api.retellai.com', '/retell', 'key_sandbox'],
  calcom_v1: ['https://cal.example/v1', '/calcom/v1', 'cal_live_sandbox'],
  calcom_v2: ['https://api.cal.com/v2', '/calcom/v2', 'cal_live_sandbox'],
  whatsapp: ['https://graph.facebook.com', '/whatsapp', 'EAAsandbox'],
};

export class Sandbox {
  static async start() {
    const sandbox = new Sandbox();
    sandbox.state = await mkdtemp(join(tmpdir(), 'klinke-sandbox-'));
    sandbox.process = spawn(program, ['--listen', '127.0.0.1:0', '--state', sandbox.state],
      { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await Promise.race([
      createInterface(sandbox.process.stdout)[Symbol.asyncIterator]().next().then((r) => [r.value]),
      new Promise((_, reject) => { sandbox.process.once('error', reject); }),
    ]);
    sandbox.base = `http://${line.split(' ').at(-1)}`;
    return sandbox;
  }

  async stop() {
    const gone = new Promise((resolve) => { this.process.once('exit', resolve); });
    this.process.kill();
    await gone;
    await rm(this.state, { recursive: true });
  }

  async command(path, body) {
    const answer = await fetch(`${this.base}/_control${path}`, body === undefined ? {}
      : { method: 'POST', body: JSON.stringify(body) });
    return answer.json();
  }

  // Sends a request as the samples write it; the answer as the contract judges it.
  async send(vendor, { method, url, headers = [], auth, body }) {
    const [there, here, secret] = PLACES[vendor];
    const credential = auth === 'bearer' ? [['Authorization', `Bearer ${secret}`]] : [];
    let target = url.replace(there, this.base + here);
    if (auth?.startsWith('query:'))
      target += `${target.includes('?') ? '&' : '?'}${auth.slice(6)}=${secret}`;
    const answer = await fetch(target, { method, headers: [...headers, ...credential,
      ['Content-Type', 'application/json']], body: body ?? undefined });
    const text = await answer.text();
    return { method, url, status: answer.status, body: text === '' ? null : JSON.parse(text) };
  }
}
