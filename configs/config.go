package configs

import (
	"time"

	"github.com/weirdb/weir/secrets"
)

// Config is the whole configuration. Its fields' doc tags are the published
// reference (docs/configuration.md) and the JSON Schema's descriptions.
type Config struct {
	Profile     string       `yaml:"profile" enum:"production,development" default:"production" doc:"development allows what production refuses: literal secrets, plaintext clients, a self-signed certificate."`
	State       string       `yaml:"state" default:"/var/lib/weir" doc:"Folder for the users' database, generated keys and, unless set otherwise, the audit journal."`
	Store       Store        `yaml:"store" doc:"Where users, groups, projects and roles are kept: an embedded database in the state folder, or a PostgreSQL that several weirs share."`
	Listeners   []Listener   `yaml:"listeners" required:"true" doc:"Where clients connect."`
	Datasources []Datasource `yaml:"datasources" required:"true" doc:"The databases behind weir."`
	Policy      Policy       `yaml:"policy" doc:"Where policy comes from; the shipped policy if nothing is set."`
	Masking     Masking      `yaml:"masking" doc:"Keys of the keyed masks."`
	Audit       Audit        `yaml:"audit" doc:"The audit journal."`
	Auth        Auth         `yaml:"auth" doc:"How people and applications log in."`
	Logins      Logins       `yaml:"logins" doc:"The listener of weir login, which gives people session passwords."`
	Secrets     Secrets      `yaml:"secrets" doc:"Where secrets are read from, beside the environment and files."`
	Limits      Limits       `yaml:"limits" doc:"Bounds for clients."`
	Admin       Admin        `yaml:"admin" doc:"The listener for metrics and health."`
	Log         Log          `yaml:"log" doc:"Structured logs on standard error."`
}

// Store is the PostgreSQL server that keeps weir's state.
type Store struct {
	Address        string        `yaml:"address" doc:"host:port of a PostgreSQL server, or its Unix socket: the folder followed by :port. Not set: an embedded database in the state folder."`
	Database       string        `yaml:"database" default:"weir" doc:"The database on the server. Its tables are made in the first schema of the role's search_path."`
	User           string        `yaml:"user" default:"weir" doc:"The role that weir logs in as, or a reference to it."`
	Password       secrets.Ref   `yaml:"password" doc:"Its password, as a reference."`
	TLS            UpstreamTLS   `yaml:"tls" doc:"TLS towards the server."`
	ConnectTimeout time.Duration `yaml:"connect_timeout" default:"3s" doc:"Bound for connecting and logging in."`
}

// Listener is an address that clients connect to.
type Listener struct {
	Protocol   string      `yaml:"protocol" enum:"postgresql,mysql" default:"postgresql" doc:"The protocol that clients speak; mysql is MariaDB's too."`
	Address    string      `yaml:"address" required:"true" doc:"host:port to listen on; an empty host is every interface."`
	Datasource string      `yaml:"datasource" doc:"mysql only: the one datasource that the listener serves. Without it, people log in as user@datasource; where there is only one, plain user means it."`
	TLS        ListenerTLS `yaml:"tls" doc:"TLS towards clients."`
}

// ListenerTLS is TLS towards clients.
type ListenerTLS struct {
	Certificate string      `yaml:"certificate" doc:"PEM file with the certificate chain; read again on SIGHUP."`
	Key         secrets.Ref `yaml:"key" doc:"PEM of the private key, usually ${file:…}."`
	ClientCA    string      `yaml:"client_ca" doc:"PEM file of authorities whose client certificates are accepted as a login."`
	ClientCRL   []string    `yaml:"client_crl" doc:"Files with the revocation lists of those authorities, PEM or DER, read again when they change. A certificate that is on one, or whose authority's list is missing or out of date, is refused. Not set: nothing is checked."`
	SelfSigned  bool        `yaml:"self_signed" doc:"Make a certificate on the spot. Development only."`
	Plaintext   bool        `yaml:"plaintext" doc:"Also accept clients without TLS. Development only."`
}

// Datasource is one database behind weir.
type Datasource struct {
	Name            string        `yaml:"name" required:"true" doc:"PostgreSQL: the database name that clients give. MySQL: what may stand behind @ in their login name."`
	Project         string        `yaml:"project" default:"default" doc:"The project that the datasource belongs to, for roles and policy."`
	Environment     string        `yaml:"environment" default:"production" doc:"For policy: production, staging, or a word of your own."`
	Engine          string        `yaml:"engine" enum:"postgresql,mysql,mariadb" default:"postgresql" doc:"The kind of server."`
	Address         string        `yaml:"address" required:"true" doc:"host:port of the server. Or its Unix socket: the folder followed by :port for PostgreSQL, the path for MySQL."`
	Database        string        `yaml:"database" doc:"PostgreSQL: the database on the server; the datasource's name if not set. MySQL: the one in which sessions begin whose client names none."`
	User            string        `yaml:"user" required:"true" doc:"The role that weir logs in as, or a reference to it. Where it and the password are fields of one document, they always belong together."`
	Password        secrets.Ref   `yaml:"password" doc:"Its password, as a reference: ${env:…}, ${file:…}, ${vault:…}, ${aws:…}, ${gcp:…}, ${azure:…}."`
	ReadOnly        bool          `yaml:"read_only" doc:"Refuse every write, whatever policy says."`
	TLS             UpstreamTLS   `yaml:"tls" doc:"TLS towards the server."`
	SafeFunctions   []string      `yaml:"safe_functions" doc:"Functions (schema.name) whose result depends on their arguments alone and that change nothing. Listing one that reads tables opens a leak."`
	CatalogInterval time.Duration `yaml:"catalog_interval" default:"2s" doc:"How often to look for changed definitions on the server."`
	ConnectTimeout  time.Duration `yaml:"connect_timeout" default:"10s" doc:"Bound for connecting and logging in to the server."`
}

// UpstreamTLS is TLS towards a server.
type UpstreamTLS struct {
	Mode        string      `yaml:"mode" enum:"disable,prefer,require,verify-ca,verify-full" default:"verify-full" doc:"As libpq's sslmode."`
	CA          string      `yaml:"ca" doc:"PEM file of authorities; the system's if not set."`
	Certificate string      `yaml:"certificate" doc:"PEM file of weir's own client certificate."`
	Key         secrets.Ref `yaml:"key" doc:"PEM of its private key, usually ${file:…}."`
	ServerName  string      `yaml:"server_name" doc:"The name that the server's certificate must carry, if not the address's host."`
}

// Policy says where policy comes from.
type Policy struct {
	Folder   string        `yaml:"folder" doc:"Folder of Rego and YAML data; watched for changes."`
	Bundle   Bundle        `yaml:"bundle" doc:"An OPA bundle instead of a folder."`
	Deadline time.Duration `yaml:"deadline" default:"1s" doc:"Bound for one decision; what takes longer is refused."`
}

// Bundle is an OPA bundle.
type Bundle struct {
	Location      string        `yaml:"location" doc:"Path, http:// or https:// URL of the bundle."`
	Authorization secrets.Ref   `yaml:"authorization" doc:"Authorization header for an URL."`
	PublicKey     string        `yaml:"public_key" doc:"PEM file of the key that signs the bundle."`
	Algorithm     string        `yaml:"algorithm" default:"RS256" doc:"JWS algorithm of the signature."`
	Unsigned      bool          `yaml:"unsigned" doc:"Accept a bundle without a signature."`
	Interval      time.Duration `yaml:"interval" default:"60s" doc:"How often to look for a new bundle."`
}

// Masking holds the keys of keyed masks.
type Masking struct {
	Key secrets.Ref `yaml:"key" doc:"32 bytes in hex or base64. Generated into the state folder if not set. Everyone with the same key gets the same pseudonyms."`
}

// Audit is the journal.
type Audit struct {
	Folder      string        `yaml:"folder" doc:"Folder of the journal; audit in the state folder if not set."`
	Durability  string        `yaml:"durability" enum:"write,fsync" default:"write" doc:"write: handed to the operating system before a statement goes on. fsync: on disk before it does."`
	SegmentSize Size          `yaml:"segment_size" default:"64MiB" doc:"A new file begins at this size."`
	SegmentAge  time.Duration `yaml:"segment_age" default:"24h" doc:"A new file begins at this age."`
	KeepFor     time.Duration `yaml:"keep_for" doc:"Delete files older than this; 0 keeps everything."`
	Checkpoint  time.Duration `yaml:"checkpoint" default:"1m" doc:"How often the journal signs how far it has come."`
	SigningKey  secrets.Ref   `yaml:"signing_key" doc:"PEM of an Ed25519 key for the checkpoints; generated into the state folder if not set."`
	Stdout      bool          `yaml:"stdout" doc:"Write every event to standard output as well."`
}

// Auth says how to log in.
type Auth struct {
	CertificateUser string   `yaml:"certificate_user" enum:"cn,email,dns,uri" default:"cn" doc:"The part of a client certificate that names the user."`
	Lockout         Lockout  `yaml:"lockout" doc:"Pauses after failed passwords."`
	Sources         []Source `yaml:"sources" doc:"Directories and providers that vouch for people whom weir does not keep itself."`
	MySQLPlugins    []string `yaml:"mysql_plugins" enum:"caching_sha2_password,client_ed25519,mysql_native_password" doc:"How MySQL clients prove passwords, the plugin that weir proposes first. caching_sha2_password, which alone is there if not set, has to be among them; the others need verifiers that are kept of passwords set from then on."`
}

// Logins is where people get session passwords.
type Logins struct {
	Address string        `yaml:"address" doc:"host:port to listen on, for HTTPS. Not set: there is no such listener."`
	TLS     ListenerTLS   `yaml:"tls" doc:"Its certificate. Client certificates and plaintext are not taken."`
	Session time.Duration `yaml:"session" default:"8h" doc:"How long a session password counts; 24h at most. Sessions that it began go on."`
}

// Source is a directory or provider that vouches for people.
type Source struct {
	Name       string    `yaml:"name" required:"true" doc:"Names the source in users' ids, policy and audit events, behind ldap: or oidc:. It stays, or everybody is somebody new."`
	Names      []string  `yaml:"names" required:"true" doc:"The login names that it answers for, in lower case; * stands for any text. Passwords of these names come to weir itself, under TLS."`
	LDAP       LDAP      `yaml:"ldap" doc:"An LDAP directory, such as OpenLDAP or Active Directory."`
	OIDC       OIDC      `yaml:"oidc" doc:"Or an OpenID provider, whose tokens are given in the place of a password."`
	TakeGroups bool      `yaml:"take_groups" doc:"People are in the groups that the source says, under its names."`
	Map        []Mapping `yaml:"map" doc:"What being in a group of the source gives here. It is looked at at each login, and cannot be changed by hand."`
}

// Mapping gives roles to a source's group.
type Mapping struct {
	Group    string   `yaml:"group" required:"true" doc:"The group's name at the source."`
	Groups   []string `yaml:"groups" doc:"Groups of weir."`
	Role     string   `yaml:"role" enum:"member,administrator,owner" doc:"The global role; the strongest counts. Not set: the one that was assigned by hand, member for others."`
	Projects []string `yaml:"projects" doc:"Roles in projects, as sales=viewer."`
}

// OIDC is whose tokens count.
type OIDC struct {
	Issuer      string        `yaml:"issuer" doc:"The provider's URL, https in production; below it is .well-known/openid-configuration."`
	CA          string        `yaml:"ca" doc:"PEM file of authorities; the system's if not set."`
	Audiences   []string      `yaml:"audiences" doc:"Whom tokens may be meant for: client ids for ID tokens, resources for access tokens. One is enough."`
	Algorithms  []string      `yaml:"algorithms" enum:"RS256,RS384,RS512,ES256,ES384,ES512,PS256,PS384,PS512,EdDSA" doc:"Algorithms that signatures may have; RS256, ES256, PS256 and EdDSA if not set."`
	NameClaim   string        `yaml:"name_claim" default:"email" doc:"The claim that has to be the login name, in any case. An email has to be verified."`
	GroupClaims []string      `yaml:"group_claims" doc:"Claims with groups and roles; a dot goes into an object, as realm_access.roles. groups if not set."`
	MFAValues   []string      `yaml:"mfa_values" doc:"Values of amr or acr that tell of a second factor; mfa if not set."`
	Skew        time.Duration `yaml:"skew" default:"30s" doc:"How far clocks may differ; 5m at most."`
	OAuthBearer bool          `yaml:"oauthbearer" doc:"PostgreSQL: these people log in by OAUTHBEARER, as libpq 18 does, and not by a token in the place of a password."`
	Scope       string        `yaml:"scope" default:"openid email" doc:"The scope that clients are told to ask for, by OAUTHBEARER and by weir login."`
	ClientID    string        `yaml:"client_id" doc:"The public client that weir login is at the provider; it has to be among the audiences. Not set: weir login does not use this provider."`
}

// LDAP is how to ask a directory.
type LDAP struct {
	Servers          []string      `yaml:"servers" doc:"ldaps://host, or ldap://host, which goes on with StartTLS; tried in order."`
	CA               string        `yaml:"ca" doc:"PEM file of authorities; the system's if not set."`
	Timeout          time.Duration `yaml:"timeout" default:"10s" doc:"Bound for one login."`
	BindDN           string        `yaml:"bind_dn" doc:"The account that searches for people."`
	BindPassword     secrets.Ref   `yaml:"bind_password" doc:"Its password."`
	DirectBind       string        `yaml:"direct_bind" doc:"Without such an account: how people bind, with {name} or {local}, the part before the last @, as uid={local},ou=people,dc=corp,dc=example or {name}."`
	Base             string        `yaml:"base" doc:"Where people are searched."`
	NameAttribute    string        `yaml:"name_attribute" default:"uid" doc:"The attribute that holds the login name, up to the last @. Active Directory: sAMAccountName, or userPrincipalName with whole_name."`
	WholeName        bool          `yaml:"whole_name" doc:"The attribute holds the login name with what follows the @."`
	Filter           string        `yaml:"filter" doc:"What else has to hold of a person, as (objectClass=person)."`
	SubjectAttribute string        `yaml:"subject_attribute" default:"entryUUID" doc:"An attribute that is unique and never changes. Active Directory: objectGUID."`
	GroupBase        string        `yaml:"group_base" doc:"Where groups are searched; not set: people have none."`
	GroupMember      string        `yaml:"group_member" default:"member" doc:"The attribute that holds the DNs of a group's members, also of groups in it."`
	GroupName        string        `yaml:"group_name" default:"cn" doc:"The attribute that names a group."`
	GroupFilter      string        `yaml:"group_filter" doc:"What else has to hold of a group."`
	Chain            bool          `yaml:"chain" doc:"Active Directory: ask for the groups of groups at once."`
}

// Lockout is how long somebody has to wait who gives wrong passwords.
type Lockout struct {
	Attempts int           `yaml:"attempts" default:"5" doc:"Failures of one user from one address before the first pause, of 1s; each further one doubles it. 0 never pauses."`
	Longest  time.Duration `yaml:"longest" default:"1m" doc:"The longest pause."`
}

// Limits bound clients.
type Limits struct {
	Connections        int           `yaml:"connections" default:"1000" doc:"Clients in all."`
	ConnectionsPerUser int           `yaml:"connections_per_user" default:"100" doc:"Clients of one user."`
	Startup            time.Duration `yaml:"startup" default:"15s" doc:"From accepting to being logged in."`
	Message            Size          `yaml:"message" default:"1GiB" doc:"One message of a client."`
	Statement          Size          `yaml:"statement" default:"16MiB" doc:"A longer text is not analysed: unrestricted people only. MySQL: 64MiB at most."`
	Idle               time.Duration `yaml:"idle" default:"0s" doc:"Without a statement; 0 is no limit."`
	IdleInTransaction  time.Duration `yaml:"idle_in_transaction" default:"0s" doc:"The same inside a transaction."`
	Stall              time.Duration `yaml:"stall" default:"60s" doc:"For a client that stops in the middle of a message."`
	WriteStall         time.Duration `yaml:"write_stall" default:"10m" doc:"For a client that does not take its results, as a pager may."`
	Drain              time.Duration `yaml:"drain" default:"30s" doc:"For clients to finish after SIGTERM."`
}

// Admin is the listener for metrics and health.
type Admin struct {
	Address string `yaml:"address" default:"127.0.0.1:9187" doc:"host:port of /metrics, /healthz and /readyz; off for none. Keep it off public networks."`
}

// Log is structured logging.
type Log struct {
	Level  string `yaml:"level" enum:"debug,info,warn,error" default:"info" doc:"The least important that is logged."`
	Format string `yaml:"format" enum:"json,text" default:"json" doc:"One object a line, or text for people."`
}
