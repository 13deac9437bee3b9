// A certified OpenID provider with three people, for tests. Arguments: port.
// POST /test/rotate makes new signing keys and forgets the old ones.
import http from 'node:http';
import { createRequire } from 'node:module';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { pathToFileURL } from 'node:url';

const require = createRequire(process.env.PROVIDER_MODULES + '/');
const { Provider } = await import(pathToFileURL(require.resolve('oidc-provider')).href);

const issuer = `http://127.0.0.1:${process.argv[2]}`;
const people = {
  ana: { password: 'ana at the provider', email: 'ana@cloud.example', email_verified: true, name: 'Ana Almeida', groups: ['analysts', 'staff'] },
  ben: { password: 'ben at the provider', email: 'ben@cloud.example', email_verified: true, name: 'Ben', groups: [] },
  eve: { password: 'eve at the provider', email: 'ana@cloud.example', email_verified: false, name: 'Eve', groups: ['analysts'] },
};
const key = (type, options, alg) => ({ ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg });
const keys = () => [key('rsa', { modulusLength: 2048 }, 'RS256'), key('ec', { namedCurve: 'P-256' }, 'ES256')];
const kept = new Map(); // outlives the provider, which a rotation makes anew

class Adapter {
  constructor(kind) { this.kind = kind; }
  name(id) { return `${this.kind} ${id}`; }
  async upsert(id, value) {
    kept.set(this.name(id), value);
    if (value.userCode) kept.set(`code ${value.userCode}`, id);
    if (value.uid) kept.set(`uid ${this.kind} ${value.uid}`, id);
  }
  async find(id) { return kept.get(this.name(id)); }
  async findByUserCode(code) { return this.find(kept.get(`code ${code}`)); }
  async findByUid(uid) { return this.find(kept.get(`uid ${this.kind} ${uid}`)); }
  async consume(id) { kept.get(this.name(id)).consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { kept.delete(this.name(id)); }
  async revokeByGrantId(grant) { for (const [k, v] of kept) if (v?.grantId === grant) kept.delete(k); }
}

const cookieKey = randomUUID();
const seconds = { AccessToken: 300, IdToken: 300, ClientCredentials: 300, DeviceCode: 300, Interaction: 300, Session: 300, Grant: 300, RefreshToken: 300 };
const make = () => new Provider(issuer, {
  adapter: Adapter,
  jwks: { keys: keys() },
  cookies: { keys: [cookieKey] },
  clients: [
    { client_id: 'weir', token_endpoint_auth_method: 'none', application_type: 'native', redirect_uris: ['http://127.0.0.1/callback'], response_types: ['code'],
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'] },
    { client_id: 'other', token_endpoint_auth_method: 'none', application_type: 'native', redirect_uris: ['http://127.0.0.1/callback'], response_types: ['code'],
      grant_types: ['authorization_code'], id_token_signed_response_alg: 'ES256' },
    { client_id: 'job', client_secret: 'secret of the job', redirect_uris: [], response_types: [], grant_types: ['client_credentials'] },
  ],
  scopes: ['openid', 'offline_access'],
  claims: { openid: ['sub', 'auth_time'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
  conformIdTokenClaims: false,
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256'] },
  pkce: { required: () => true },
  ttl: seconds,
  features: {
    devInteractions: { enabled: false },
    deviceFlow: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: { enabled: true, defaultResource: (_, __, one) => one ?? 'urn:weir:databases', useGrantedResource: () => true,
      getResourceServerInfo: (_, audience) => ({ scope: 'connect', audience, accessTokenFormat: 'jwt', accessTokenTTL: 300, jwt: { sign: { alg: 'RS256' } } }) },
  },
  extraTokenClaims: (_, token) => {
    const p = people[token.accountId];
    return p ? { groups: p.groups, email: p.email, email_verified: p.email_verified } : { groups: ['jobs'], email: `${token.clientId}@cloud.example`, email_verified: true };
  },
  findAccount: (_, id) => people[id] && { accountId: id, claims: () => { const { password, ...claims } = people[id]; return { sub: id, ...claims }; } },
  interactions: { url: (_, i) => `/interaction/${i.uid}` },
});

let provider = make();
let answer = provider.callback();
const read = async (req) => { let text = ''; for await (const part of req) text += part; return new URLSearchParams(text); };

// interaction logs in by a form, and consents to everything.
async function interaction(req, res) {
  const asked = await provider.interactionDetails(req, res);
  if (asked.prompt.name === 'login') {
    if (req.method === 'GET') { res.setHeader('content-type', 'text/html'); res.end('<form method=post><input name=login><input name=password type=password><button>Log in</button></form>'); return; }
    const form = await read(req);
    const login = form.get('login');
    if (people[login]?.password !== form.get('password')) { res.statusCode = 401; res.end('wrong'); return; }
    await provider.interactionFinished(req, res, { login: { accountId: login } }, { mergeWithLastSubmission: false });
    return;
  }
  const grant = asked.grantId ? await provider.Grant.find(asked.grantId) : new provider.Grant({ accountId: asked.session.accountId, clientId: asked.params.client_id });
  const { missingOIDCScope, missingOIDCClaims, missingResourceScopes } = asked.prompt.details;
  if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(' '));
  if (missingOIDCClaims) grant.addOIDCClaims(missingOIDCClaims);
  for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) grant.addResourceScope(resource, scopes.join(' '));
  await provider.interactionFinished(req, res, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
}

http.createServer(async (req, res) => {
  try {
    if (req.url === '/test/rotate' && req.method === 'POST') { provider = make(); answer = provider.callback(); res.end(); return; }
    if (req.url.startsWith('/interaction/')) { await interaction(req, res); return; }
    answer(req, res);
  } catch (e) { res.statusCode = 500; res.end(String(e.stack)); }
}).listen(+process.argv[2], '127.0.0.1');
