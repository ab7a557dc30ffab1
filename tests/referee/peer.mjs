// The official libsignal as a peer: reads one JSON request a line, answers one JSON line each.
// Bytes travel as hex. A refused message is an answer {"error": …}, not the end of the process.
import { createInterface } from "node:readline";
import {
  IdentityKeyStore,
  IdentityChange,
  KEMKeyPair,
  KEMPublicKey,
  KyberPreKeyRecord,
  KyberPreKeyStore,
  PreKeyBundle,
  PreKeyRecord,
  PreKeySignalMessage,
  PreKeyStore,
  PrivateKey,
  ProtocolAddress,
  PublicKey,
  SessionRecord,
  SessionStore,
  SignalMessage,
  SignedPreKeyRecord,
  SignedPreKeyStore,
  processPreKeyBundle,
  signalDecrypt,
  signalDecryptPreKey,
  signalEncrypt,
} from "@signalapp/libsignal-client";

const PREKEY = 3;
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const raw = (text) => new Uint8Array(Buffer.from(text, "hex"));

class Sessions extends SessionStore {
  kept = new Map();
  async saveSession(name, record) {
    this.kept.set(name.toString(), record.serialize());
  }
  async getSession(name) {
    const bytes = this.kept.get(name.toString());
    return bytes ? SessionRecord.deserialize(bytes) : null;
  }
  async getExistingSessions(names) {
    return Promise.all(names.map((name) => this.getSession(name)));
  }
}

class Identities extends IdentityKeyStore {
  peers = new Map();
  constructor(key, registrationId) {
    super();
    this.key = key;
    this.registrationId = registrationId;
  }
  async getIdentityKey() {
    return this.key;
  }
  async getLocalRegistrationId() {
    return this.registrationId;
  }
  async saveIdentity(name, key) {
    this.peers.set(name.toString(), key);
    return IdentityChange?.NewOrUnchanged ?? false;
  }
  async isTrustedIdentity() {
    return true;
  }
  async getIdentity(name) {
    return this.peers.get(name.toString()) ?? null;
  }
}

class PreKeys extends PreKeyStore {
  kept = new Map();
  async savePreKey(id, record) {
    this.kept.set(id, record);
  }
  async getPreKey(id) {
    return found(this.kept, id);
  }
  async removePreKey(id) {
    this.kept.delete(id);
  }
}

class SignedPreKeys extends SignedPreKeyStore {
  kept = new Map();
  async saveSignedPreKey(id, record) {
    this.kept.set(id, record);
  }
  async getSignedPreKey(id) {
    return found(this.kept, id);
  }
}

class KyberPreKeys extends KyberPreKeyStore {
  kept = new Map();
  async saveKyberPreKey(id, record) {
    this.kept.set(id, record);
  }
  async getKyberPreKey(id) {
    return found(this.kept, id);
  }
  async markKyberPreKeyUsed(id) {
    this.kept.delete(id);
  }
}

function found(kept, id) {
  const record = kept.get(id);
  if (!record) throw new Error(`no pre-key ${id}`);
  return record;
}

const parties = new Map();
let nextId = 1;

function party(request) {
  return parties.get(request.party);
}

function peerOf(request) {
  return ProtocolAddress.new(request.peer, 1);
}

const operations = {
  async create({ party, registration_id }) {
    const key = PrivateKey.generate();
    parties.set(party, {
      key,
      registrationId: registration_id,
      sessions: new Sessions(),
      identities: new Identities(key, registration_id),
      preKeys: new PreKeys(),
      signed: new SignedPreKeys(),
      kyber: new KyberPreKeys(),
    });
    return { identity_key: hex(key.getPublicKey().serialize()) };
  },

  async bundle(request) {
    const own = party(request);
    const id = nextId++;
    const now = Date.now();
    const signedKey = PrivateKey.generate();
    const signature = own.key.sign(signedKey.getPublicKey().serialize());
    const kyberKey = KEMKeyPair.generate();
    const kyberSignature = own.key.sign(kyberKey.getPublicKey().serialize());
    await own.signed.saveSignedPreKey(
      id,
      SignedPreKeyRecord.new(id, now, signedKey.getPublicKey(), signedKey, signature),
    );
    await own.kyber.saveKyberPreKey(id, KyberPreKeyRecord.new(id, now, kyberKey, kyberSignature));
    const bundle = {
      registration_id: own.registrationId,
      device_id: 1,
      identity_key: hex(own.key.getPublicKey().serialize()),
      signed_pre_key_id: id,
      signed_pre_key: hex(signedKey.getPublicKey().serialize()),
      signed_pre_key_sig: hex(signature),
      kem_pre_key_id: id,
      kem_pre_key: hex(kyberKey.getPublicKey().serialize()),
      kem_pre_key_sig: hex(kyberSignature),
      pre_key_id: null,
      pre_key: null,
    };
    if (request.one_time) {
      const oneTime = PrivateKey.generate();
      await own.preKeys.savePreKey(id, PreKeyRecord.new(id, oneTime.getPublicKey(), oneTime));
      bundle.pre_key_id = id;
      bundle.pre_key = hex(oneTime.getPublicKey().serialize());
    }
    return { bundle };
  },

  async initiate(request) {
    const own = party(request);
    const b = request.bundle;
    const bundle = PreKeyBundle.new(
      b.registration_id,
      b.device_id,
      b.pre_key_id,
      b.pre_key === null ? null : PublicKey.deserialize(raw(b.pre_key)),
      b.signed_pre_key_id,
      PublicKey.deserialize(raw(b.signed_pre_key)),
      raw(b.signed_pre_key_sig),
      PublicKey.deserialize(raw(b.identity_key)),
      b.kem_pre_key_id,
      KEMPublicKey.deserialize(raw(b.kem_pre_key)),
      raw(b.kem_pre_key_sig),
    );
    await processPreKeyBundle(bundle, peerOf(request), own.sessions, own.identities);
    return {};
  },

  async encrypt(request) {
    const own = party(request);
    const message = await signalEncrypt(
      raw(request.text),
      peerOf(request),
      own.sessions,
      own.identities,
    );
    return { type: message.type(), data: hex(message.serialize()) };
  },

  async decrypt(request) {
    const own = party(request);
    const data = raw(request.data);
    const text =
      request.type === PREKEY
        ? await signalDecryptPreKey(
            PreKeySignalMessage.deserialize(data),
            peerOf(request),
            own.sessions,
            own.identities,
            own.preKeys,
            own.signed,
            own.kyber,
          )
        : await signalDecrypt(
            SignalMessage.deserialize(data),
            peerOf(request),
            own.sessions,
            own.identities,
          );
    return { text: hex(text) };
  },

  async sign({ private_key, message }) {
    return { signature: hex(PrivateKey.deserialize(raw(private_key)).sign(raw(message))) };
  },

  async verify({ public_key, message, signature }) {
    return { valid: PublicKey.deserialize(raw(public_key)).verify(raw(message), raw(signature)) };
  },

  // Times `count` round trips between two parties of this process, in microseconds each.
  async measure({ count }) {
    await operations.create({ party: "a", registration_id: 1 });
    await operations.create({ party: "b", registration_id: 2 });
    const text = "00".repeat(100);
    const bundles = [];
    for (let i = 0; i < count; i++) {
      bundles.push((await operations.bundle({ party: "b", one_time: true })).bundle);
    }
    const initiate = await timed(bundles, (bundle, i) =>
      operations.initiate({ party: "a", peer: `b${i}`, bundle }),
    );
    const firsts = [];
    for (let i = 0; i < count; i++) {
      firsts.push(await operations.encrypt({ party: "a", peer: `b${i}`, text }));
    }
    const accept = await timed(firsts, (first, i) =>
      operations.decrypt({ party: "b", peer: `a${i}`, ...first }),
    );
    const turn = async (from, to) => {
      const sent = await operations.encrypt({ party: from, peer: `${to}0`, text });
      await operations.decrypt({ party: to, peer: `${from}0`, ...sent });
    };
    await turn("b", "a");
    const rounds = Array(count).fill();
    const ping_pong = await timed(rounds, (_, i) => (i % 2 ? turn("b", "a") : turn("a", "b")));
    const one_way = await timed(rounds, () => turn("a", "b"));
    return { initiate, accept, ping_pong, one_way };
  },
};

async function timed(items, work) {
  const times = [];
  for (const [i, item] of items.entries()) {
    const start = process.hrtime.bigint();
    await work(item, i);
    times.push(Number(process.hrtime.bigint() - start) / 1000);
  }
  return times;
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
