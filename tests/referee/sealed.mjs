// Certificates, and sealed sender in both versions.
import { addressOf, hex, parties, raw, serviceId } from "./parties.mjs";
import { timed } from "./timing.mjs";

export default (signal, version) => {
  const saysWho = Number(version.split(".")[1]) > 90;
  const { PrivateKey, PublicKey, SenderCertificate, ServerCertificate } = signal;
  const privateKey = (text) => PrivateKey.deserialize(raw(text));
  const publicKey = (text) => PublicKey.deserialize(raw(text));
  const party = (request) => parties.get(request.party);
  const peer = (request) => addressOf(signal, request.peer);

  const described = (certificate) => ({
    account: certificate.senderUuid().replaceAll("-", ""),
    device: certificate.senderDeviceId(),
    identity_key: hex(certificate.key().serialize()),
    expires: certificate.expiration(),
    server_id: certificate.serverCertificate().keyId(),
    server_key: hex(certificate.serverCertificate().key().serialize()),
  });

  // The message inside: of a session, or of a sender key if there is a distribution.
  async function inner(request) {
    const own = party(request);
    const text = raw(request.text);
    const us = addressOf(signal, request.party);
    if (request.distribution) {
      return signal.groupEncrypt(us, serviceId(request.distribution), own.senderKeys, text);
    }
    const addresses = saysWho ? [peer(request), us] : [peer(request)];
    return signal.signalEncrypt(text, ...addresses, own.sessions, own.identities);
  }

  async function content(request) {
    const message = await inner(request);
    const made = signal.UnidentifiedSenderMessageContent.new(
      message,
      SenderCertificate.deserialize(raw(request.certificate)),
      request.hint,
      request.group === null ? null : raw(request.group),
    );
    return { made, described: { type: message.type(), message: hex(message.serialize()) } };
  }

  const operations = {
    async issue(request) {
      const server = ServerCertificate.new(
        request.server_id,
        privateKey(request.server).getPublicKey(),
        privateKey(request.root),
      );
      const sender = SenderCertificate.new(
        serviceId(request.account),
        null,
        request.device,
        publicKey(request.identity_key),
        request.expires,
        server,
        privateKey(request.server),
      );
      return { server: hex(server.serialize()), sender: hex(sender.serialize()) };
    },

    async validate({ certificate, root, now }) {
      const read = SenderCertificate.deserialize(raw(certificate));
      return { valid: read.validate(publicKey(root), now), ...described(read) };
    },

    async private_key(request) {
      return { private: hex(party(request).key.serialize()) };
    },

    // Version 1, to the identity key of one device.
    async seal(request) {
      const { identities } = party(request);
      await identities.saveIdentity(peer(request), publicKey(request.recipient_key));
      const { made, described } = await content(request);
      const data = await signal.sealedSenderEncrypt(made, peer(request), identities);
      return { ...described, data: hex(data) };
    },

    // Version 2, to devices that there are sessions with.
    async seal_to_many(request) {
      const own = party(request);
      const recipients = request.peers.map((account) => addressOf(signal, account));
      for (const [i, key] of request.recipient_keys.entries()) {
        await own.identities.saveIdentity(recipients[i], publicKey(key));
      }
      const { made, described } = await content(request);
      const data = await signal.sealedSenderMultiRecipientEncrypt(
        made,
        recipients,
        own.identities,
        own.sessions,
      );
      return { ...described, data: hex(data) };
    },

    async split_for_one({ data }) {
      const received = signal.sealedSenderMultiRecipientMessageForSingleRecipient(raw(data));
      return { data: hex(received) };
    },

    async unseal(request) {
      const opened = await signal.sealedSenderDecryptToUsmc(
        raw(request.data),
        party(request).identities,
      );
      const group = opened.groupId();
      return {
        type: opened.msgType(),
        message: hex(opened.contents()),
        hint: opened.contentHint(),
        group: group === null ? null : hex(group),
        ...described(opened.senderCertificate()),
      };
    },

    // Times `count` seals and opens of a group message in version 1, and safety numbers. Opening
    // includes the certificate.
    async measure_sealed({ root, now, count, ...request }) {
      const { identities } = party(request);
      const to = peer(request);
      await identities.saveIdentity(to, publicKey(request.recipient_key));
      const { made } = await content({ ...request, text: "00".repeat(100), hint: 0, group: null });
      const sealed = [];
      const seal = await timed(Array(count).fill(), async () => {
        sealed.push(await signal.sealedSenderEncrypt(made, to, identities));
      });
      const receiver = parties.get(request.peer).identities;
      const open = await timed(sealed, async (data) => {
        const opened = await signal.sealedSenderDecryptToUsmc(data, receiver);
        if (!opened.senderCertificate().validate(publicKey(root), now)) throw new Error("invalid");
      });
      return { seal, open };
    },
  };
  return operations;
};
