// libsignal's stores, in memory.
export default function stores(signal) {
  class Sessions extends signal.SessionStore {
    kept = new Map();
    async saveSession(name, record) {
      this.kept.set(name.toString(), record.serialize());
    }
    async getSession(name) {
      const bytes = this.kept.get(name.toString());
      return bytes ? signal.SessionRecord.deserialize(bytes) : null;
    }
    async getExistingSessions(names) {
      return Promise.all(names.map((name) => this.getSession(name)));
    }
  }

  class Identities extends signal.IdentityKeyStore {
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
      return signal.IdentityChange.NewOrUnchanged;
    }
    async isTrustedIdentity() {
      return true;
    }
    async getIdentity(name) {
      return this.peers.get(name.toString()) ?? null;
    }
  }

  class PreKeys extends signal.PreKeyStore {
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

  class SignedPreKeys extends signal.SignedPreKeyStore {
    kept = new Map();
    async saveSignedPreKey(id, record) {
      this.kept.set(id, record);
    }
    async getSignedPreKey(id) {
      return found(this.kept, id);
    }
  }

  class KyberPreKeys extends signal.KyberPreKeyStore {
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

  class SenderKeys extends signal.SenderKeyStore {
    kept = new Map();
    async saveSenderKey(name, distribution, record) {
      this.kept.set(`${name}/${distribution}`, record.serialize());
    }
    async getSenderKey(name, distribution) {
      const bytes = this.kept.get(`${name}/${distribution}`);
      return bytes ? signal.SenderKeyRecord.deserialize(bytes) : null;
    }
  }

  return { Sessions, Identities, PreKeys, SignedPreKeys, KyberPreKeys, SenderKeys };
}

function found(kept, id) {
  const record = kept.get(id);
  if (!record) throw new Error(`no pre-key ${id}`);
  return record;
}
