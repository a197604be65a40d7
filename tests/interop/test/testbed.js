// The real server, commanded by lines of JSON (mobile-bindings/scenarios/README.md).
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const built = fileURLToPath(new URL('../../../target/debug/testbed', import.meta.url));

export class Testbed {
  constructor() {
    this.child = spawn(process.env.TESTBED ?? built, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.answers = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async ask(command, values = {}) {
    this.child.stdin.write(`${JSON.stringify({ do: command, with: values })}\n`);
    const { value } = await this.answers.next();
    const { ok, error } = JSON.parse(value);
    if (error) throw new Error(`${error.code}: ${error.text}`);
    return ok;
  }

  end() {
    this.child.stdin.end();
    return new Promise((ended) => this.child.on('close', ended));
  }
}
