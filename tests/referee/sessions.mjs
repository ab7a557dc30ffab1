// Devices, pre-keys, sessions and signatures.
import { addressOf, hex, parties, raw } from "./parties.mjs";
import stores from "./stores.mjs";
import { timed } from "./timing.mjs";

const PREKEY = 3;
let nextId = 1;

export default (signal, version) => {
  const store = stores(signal);
  // Since 0.91 every call says who is calling, and messages carry both addresses.
  const saysWho = Number(version.split(".")[1]) > 90;

  const party = (request) => parties.get(request.party);
  const addresses = (request) => {
    const peer = addressOf(signal, request.peer);
    return saysWho ? [peer, addressOf(signal, request.party)] : [peer];
  };

  const operations = {
    // `party` and `peer` are the hex of an account's 16 bytes, everywhere.
    async create({ party, registration_id }) {
      const key = signal.PrivateKey.generate();
      parties.set(party, {
        key,
        registrationId: registration_id,
        sessions: new store.Sessions(),
        identities: new store.Identities(key, registration_id),
        preKeys: new store.PreKeys(),
        signed: new store.SignedPreKeys(),
        kyber: new store.KyberPreKeys(),
        senderKeys: new store.SenderKeys(),
      });
      return { identity_key: hex(key.getPublicKey().serialize()) };
    },

    async bundle(request) {
      const own = party(request);
      const id = nextId++;
      const now = Date.now();
      const signedKey = signal.PrivateKey.generate();
      const signature = own.key.sign(signedKey.getPublicKey().serialize());
      const kyberKey = signal.KEMKeyPair.generate();
      const kyberSignature = own.key.sign(kyberKey.getPublicKey().serialize());
      await own.signed.saveSignedPreKey(
        id,
        signal.SignedPreKeyRecord.new(id, now, signedKey.getPublicKey(), signedKey, signature),
      );
      await own.kyber.saveKyberPreKey(
        id,
        signal.KyberPreKeyRecord.new(id, now, kyberKey, kyberSignature),
      );
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
        const oneTime = signal.PrivateKey.generate();
        await own.preKeys.savePreKey(
          id,
          signal.PreKeyRecord.new(id, oneTime.getPublicKey(), oneTime),
        );
        bundle.pre_key_id = id;
        bundle.pre_key = hex(oneTime.getPublicKey().serialize());
      }
      return { bundle };
    },

    async initiate(request) {
      const own = party(request);
      const b = request.bundle;
      const bundle = signal.PreKeyBundle.new(
        b.registration_id,
        b.device_id,
        b.pre_key_id,
        b.pre_key === null ? null : signal.PublicKey.deserialize(raw(b.pre_key)),
        b.signed_pre_key_id,
        signal.PublicKey.deserialize(raw(b.signed_pre_key)),
        raw(b.signed_pre_key_sig),
        signal.PublicKey.deserialize(raw(b.identity_key)),
        b.kem_pre_key_id,
        signal.KEMPublicKey.deserialize(raw(b.kem_pre_key)),
        raw(b.kem_pre_key_sig),
      );
      await signal.processPreKeyBundle(
        bundle,
        ...addresses(request),
        own.sessions,
        own.identities,
      );
      return {};
    },

    async encrypt(request) {
      const own = party(request);
      const message = await signal.signalEncrypt(
        raw(request.text),
        ...addresses(request),
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
          ? await signal.signalDecryptPreKey(
              signal.PreKeySignalMessage.deserialize(data),
              ...addresses(request),
              own.sessions,
              own.identities,
              own.preKeys,
              own.signed,
              own.kyber,
            )
          : await signal.signalDecrypt(
              signal.SignalMessage.deserialize(data),
              ...addresses(request),
              own.sessions,
              own.identities,
            );
      return { text: hex(text) };
    },

    async sign({ private_key, message }) {
      const key = signal.PrivateKey.deserialize(raw(private_key));
      return { signature: hex(key.sign(raw(message))) };
    },

    async verify({ public_key, message, signature }) {
      const key = signal.PublicKey.deserialize(raw(public_key));
      return { valid: key.verify(raw(message), raw(signature)) };
    },

    // Times `count` round trips between two parties of this process, in microseconds each.
    async measure({ count }) {
      // One device under `count` accounts a side, so that every session opened is a first one.
      const account = (side, number) => side + number.toString(16).padStart(30, "0");
      for (const [side, registration_id] of [["0a", 1], ["0b", 2]]) {
        await operations.create({ party: account(side, 0), registration_id });
        for (let i = 1; i < count; i++) {
          parties.set(account(side, i), parties.get(account(side, 0)));
        }
      }
      const [a, b] = [(i) => account("0a", i), (i) => account("0b", i)];
      const text = "00".repeat(100);
      const bundles = [];
      for (let i = 0; i < count; i++) {
        bundles.push((await operations.bundle({ party: b(i), one_time: true })).bundle);
      }
      const initiate = await timed(bundles, (bundle, i) =>
        operations.initiate({ party: a(i), peer: b(i), bundle }),
      );
      const firsts = [];
      for (let i = 0; i < count; i++) {
        firsts.push(await operations.encrypt({ party: a(i), peer: b(i), text }));
      }
      const accept = await timed(firsts, (first, i) =>
        operations.decrypt({ party: b(i), peer: a(i), ...first }),
      );
      const turn = async (from, to) => {
        const sent = await operations.encrypt({ party: from(0), peer: to(0), text });
        await operations.decrypt({ party: to(0), peer: from(0), ...sent });
      };
      await turn(b, a);
      const rounds = Array(count).fill();
      const ping_pong = await timed(rounds, (_, i) => (i % 2 ? turn(b, a) : turn(a, b)));
      const one_way = await timed(rounds, () => turn(a, b));
      return { initiate, accept, ping_pong, one_way };
    },
  };
  return operations;
};
