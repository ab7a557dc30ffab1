// The official libsignal as a peer: node peer.mjs <version>. Reads one JSON request a line, answers
// one JSON line each. Bytes travel as hex. A refused message is an answer {"error": …}, not the end.
//
// Operations live in modules: each exports a factory, (signal) => ({name: async (request) => answer}),
// which gets the library in the version asked for.
import { createInterface } from "node:readline";

const MODULES = ["sessions", "groups", "fingerprints", "sealed"];

const version = process.argv[2];
const signal = await import(`libsignal-${version}`);
const operations = {};
for (const name of MODULES) {
  const { default: factory } = await import(`./${name}.mjs`);
  Object.assign(operations, factory(signal, version));
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  let answer;
  try {
    answer = await operations[request.op](request);
  } catch (error) {
    answer = { error: String(error?.message ?? error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
