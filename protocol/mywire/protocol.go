package mywire

import "fmt"

// Capabilities are the flags by which client and server agree on variants of
// the protocol: MySQL's in the low 32 bits, MariaDB's extended ones above.
type Capabilities uint64

// Capability flags, named as in MySQL's documentation (Capabilities Flags) and
// MariaDB's (Connection, Capabilities).
const (
	CapLongPassword     Capabilities = 1 << 0 // MariaDB: unset by a server with extended flags
	CapFoundRows        Capabilities = 1 << 1
	CapLongFlag         Capabilities = 1 << 2
	CapConnectWithDB    Capabilities = 1 << 3
	CapNoSchema         Capabilities = 1 << 4
	CapCompress         Capabilities = 1 << 5
	CapODBC             Capabilities = 1 << 6
	CapLocalFiles       Capabilities = 1 << 7
	CapIgnoreSpace      Capabilities = 1 << 8
	CapProtocol41       Capabilities = 1 << 9
	CapInteractive      Capabilities = 1 << 10
	CapTLS              Capabilities = 1 << 11
	CapIgnoreSigpipe    Capabilities = 1 << 12
	CapTransactions     Capabilities = 1 << 13
	CapReserved         Capabilities = 1 << 14
	CapSecureConnection Capabilities = 1 << 15
	CapMultiStatements  Capabilities = 1 << 16
	CapMultiResults     Capabilities = 1 << 17
	CapPSMultiResults   Capabilities = 1 << 18
	CapPluginAuth       Capabilities = 1 << 19
	CapConnectAttrs     Capabilities = 1 << 20
	CapLenencAuth       Capabilities = 1 << 21
	CapExpiredPasswords Capabilities = 1 << 22
	CapSessionTrack     Capabilities = 1 << 23
	CapDeprecateEOF     Capabilities = 1 << 24
	CapOptionalMetadata Capabilities = 1 << 25
	CapZstd             Capabilities = 1 << 26
	CapQueryAttributes  Capabilities = 1 << 27
	CapMFA              Capabilities = 1 << 28
	CapExtension        Capabilities = 1 << 29
	CapVerifyServerCert Capabilities = 1 << 30
	CapRememberOptions  Capabilities = 1 << 31

	CapProgress         Capabilities = 1 << 32 // MariaDB from here on
	CapComMulti         Capabilities = 1 << 33
	CapBulkOperations   Capabilities = 1 << 34
	CapExtendedMetadata Capabilities = 1 << 35
	CapCacheMetadata    Capabilities = 1 << 36
	CapBulkUnitResults  Capabilities = 1 << 37

	// CapExtended holds every bit that is MariaDB's.
	CapExtended Capabilities = 0xffffffff << 32
)

// Has reports whether all flags of f are set.
func (c Capabilities) Has(f Capabilities) bool { return c&f == f }

// Status is the server's status in OK and EOF packets.
type Status uint16

// Status flags.
const (
	StatusInTransaction       Status = 1 << 0
	StatusAutocommit          Status = 1 << 1
	StatusMoreResults         Status = 1 << 3
	StatusNoGoodIndex         Status = 1 << 4
	StatusNoIndex             Status = 1 << 5
	StatusCursorExists        Status = 1 << 6
	StatusLastRowSent         Status = 1 << 7
	StatusDatabaseDropped     Status = 1 << 8
	StatusNoBackslashEscapes  Status = 1 << 9
	StatusMetadataChanged     Status = 1 << 10
	StatusSlow                Status = 1 << 11
	StatusOutParams           Status = 1 << 12
	StatusReadOnlyTransaction Status = 1 << 13
	StatusSessionChanged      Status = 1 << 14
	StatusANSIQuotes          Status = 1 << 15 // MariaDB
)

// Has reports whether all flags of f are set.
func (s Status) Has(f Status) bool { return s&f == f }

// Command is the first byte of a packet that begins an exchange.
type Command byte

// Commands.
const (
	ComSleep            Command = 0x00
	ComQuit             Command = 0x01
	ComInitDB           Command = 0x02
	ComQuery            Command = 0x03
	ComFieldList        Command = 0x04
	ComCreateDB         Command = 0x05
	ComDropDB           Command = 0x06
	ComRefresh          Command = 0x07
	ComShutdown         Command = 0x08
	ComStatistics       Command = 0x09
	ComProcessInfo      Command = 0x0a
	ComConnect          Command = 0x0b
	ComProcessKill      Command = 0x0c
	ComDebug            Command = 0x0d
	ComPing             Command = 0x0e
	ComTime             Command = 0x0f
	ComDelayedInsert    Command = 0x10
	ComChangeUser       Command = 0x11
	ComBinlogDump       Command = 0x12
	ComTableDump        Command = 0x13
	ComConnectOut       Command = 0x14
	ComRegisterSlave    Command = 0x15
	ComStmtPrepare      Command = 0x16
	ComStmtExecute      Command = 0x17
	ComStmtSendLongData Command = 0x18
	ComStmtClose        Command = 0x19
	ComStmtReset        Command = 0x1a
	ComSetOption        Command = 0x1b
	ComStmtFetch        Command = 0x1c
	ComDaemon           Command = 0x1d
	ComBinlogDumpGTID   Command = 0x1e // MySQL; MariaDB's COM_UNIMPLEMENTED
	ComResetConnection  Command = 0x1f
	ComClone            Command = 0x20 // MySQL
	ComStmtBulkExecute  Command = 0xfa // MariaDB
	ComMulti            Command = 0xfe // MariaDB, withdrawn
)

// String returns the command's name, such as COM_QUERY.
func (c Command) String() string {
	switch c {
	case ComSleep:
		return "COM_SLEEP"
	case ComQuit:
		return "COM_QUIT"
	case ComInitDB:
		return "COM_INIT_DB"
	case ComQuery:
		return "COM_QUERY"
	case ComFieldList:
		return "COM_FIELD_LIST"
	case ComCreateDB:
		return "COM_CREATE_DB"
	case ComDropDB:
		return "COM_DROP_DB"
	case ComRefresh:
		return "COM_REFRESH"
	case ComShutdown:
		return "COM_SHUTDOWN"
	case ComStatistics:
		return "COM_STATISTICS"
	case ComProcessInfo:
		return "COM_PROCESS_INFO"
	case ComConnect:
		return "COM_CONNECT"
	case ComProcessKill:
		return "COM_PROCESS_KILL"
	case ComDebug:
		return "COM_DEBUG"
	case ComPing:
		return "COM_PING"
	case ComTime:
		return "COM_TIME"
	case ComDelayedInsert:
		return "COM_DELAYED_INSERT"
	case ComChangeUser:
		return "COM_CHANGE_USER"
	case ComBinlogDump:
		return "COM_BINLOG_DUMP"
	case ComTableDump:
		return "COM_TABLE_DUMP"
	case ComConnectOut:
		return "COM_CONNECT_OUT"
	case ComRegisterSlave:
		return "COM_REGISTER_SLAVE"
	case ComStmtPrepare:
		return "COM_STMT_PREPARE"
	case ComStmtExecute:
		return "COM_STMT_EXECUTE"
	case ComStmtSendLongData:
		return "COM_STMT_SEND_LONG_DATA"
	case ComStmtClose:
		return "COM_STMT_CLOSE"
	case ComStmtReset:
		return "COM_STMT_RESET"
	case ComSetOption:
		return "COM_SET_OPTION"
	case ComStmtFetch:
		return "COM_STMT_FETCH"
	case ComDaemon:
		return "COM_DAEMON"
	case ComBinlogDumpGTID:
		return "COM_BINLOG_DUMP_GTID"
	case ComResetConnection:
		return "COM_RESET_CONNECTION"
	case ComClone:
		return "COM_CLONE"
	case ComStmtBulkExecute:
		return "COM_STMT_BULK_EXECUTE"
	case ComMulti:
		return "COM_MULTI"
	}
	return fmt.Sprintf("COM_0x%02x", byte(c))
}

// Answered reports whether the server sends a reply to the command at all.
func (c Command) Answered() bool {
	return c != ComStmtSendLongData && c != ComStmtClose && c != ComQuit
}

// First bytes of packets that are not commands. What 0xfe and 0xfb mean
// depends on where the packet stands and on its length.
const (
	MarkOK        = 0x00
	MarkMoreData  = 0x01 // during authentication
	MarkLocalFile = 0xfb // in place of a result
	MarkEOF       = 0xfe // also AuthSwitchRequest, and OK at the end of rows
	MarkErr       = 0xff
)

// Type is a column's or parameter's type on the wire.
type Type byte

// Types (MySQL documentation, Column Definition Types).
const (
	TypeDecimal    Type = 0x00
	TypeTiny       Type = 0x01
	TypeShort      Type = 0x02
	TypeLong       Type = 0x03
	TypeFloat      Type = 0x04
	TypeDouble     Type = 0x05
	TypeNull       Type = 0x06
	TypeTimestamp  Type = 0x07
	TypeLongLong   Type = 0x08
	TypeInt24      Type = 0x09
	TypeDate       Type = 0x0a
	TypeTime       Type = 0x0b
	TypeDateTime   Type = 0x0c
	TypeYear       Type = 0x0d
	TypeNewDate    Type = 0x0e
	TypeVarchar    Type = 0x0f
	TypeBit        Type = 0x10
	TypeVector     Type = 0xf2
	TypeJSON       Type = 0xf5
	TypeNewDecimal Type = 0xf6
	TypeEnum       Type = 0xf7
	TypeSet        Type = 0xf8
	TypeTinyBlob   Type = 0xf9
	TypeMediumBlob Type = 0xfa
	TypeLongBlob   Type = 0xfb
	TypeBlob       Type = 0xfc
	TypeVarString  Type = 0xfd
	TypeString     Type = 0xfe
	TypeGeometry   Type = 0xff
)

// ColumnFlags are the flags of a column definition.
type ColumnFlags uint16

// Flags of a column definition.
const (
	FlagNotNull       ColumnFlags = 1 << 0
	FlagPrimaryKey    ColumnFlags = 1 << 1
	FlagUniqueKey     ColumnFlags = 1 << 2
	FlagMultipleKey   ColumnFlags = 1 << 3
	FlagBlob          ColumnFlags = 1 << 4
	FlagUnsigned      ColumnFlags = 1 << 5
	FlagZerofill      ColumnFlags = 1 << 6
	FlagBinary        ColumnFlags = 1 << 7
	FlagEnum          ColumnFlags = 1 << 8
	FlagAutoIncrement ColumnFlags = 1 << 9
	FlagTimestamp     ColumnFlags = 1 << 10
	FlagSet           ColumnFlags = 1 << 11
	FlagNoDefault     ColumnFlags = 1 << 12
	FlagOnUpdateNow   ColumnFlags = 1 << 13
	FlagNum           ColumnFlags = 1 << 15
)

// Error numbers that weir itself sends.
const (
	ErrHandshake           = 1043
	ErrDBAccessDenied      = 1044
	ErrAccessDenied        = 1045
	ErrNoDatabase          = 1046
	ErrUnknownCommand      = 1047
	ErrBadDatabase         = 1049
	ErrServerShutdown      = 1053
	ErrUnknownColumn       = 1054
	ErrParse               = 1064
	ErrUnknownThread       = 1094
	ErrKillDenied          = 1095
	ErrTooManyConnections  = 1040
	ErrUnknown             = 1105
	ErrTableAccessDenied   = 1142
	ErrColumnAccessDenied  = 1143
	ErrNoSuchTable         = 1146
	ErrPacketTooLarge      = 1153
	ErrPacketsOutOfOrder   = 1156
	ErrNotSupportedYet     = 1235
	ErrSpecificAccess      = 1227
	ErrUnknownStatement    = 1243
	ErrMalformedPacket     = 1835
	ErrOptionPreventsWrite = 1290
	ErrQueryInterrupted    = 1317
	ErrConnectionKilled    = 1927 // MariaDB
	ErrSecureTransport     = 3159
)

// SQLSTATEs that weir itself sends.
const (
	StateGeneral           = "HY000"
	StateAccess            = "42000"
	StateInvalidPassword   = "28000"
	StateCommunication     = "08S01"
	StateRefused           = "08004"
	StateNoDatabase        = "3D000"
	StateNoSuchTable       = "42S02"
	StateNoSuchColumn      = "42S22"
	StateInterrupted       = "70100"
	StateSyntax            = "42000"
	StateSuccess           = "00000"
	StateReadOnlyViolation = "25006"
)

// BinaryCharset is the collation of bytes that are no characters.
const BinaryCharset = 63
