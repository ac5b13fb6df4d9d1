//go:build memberlist

package lib

import x "github.com/hashicorp/memberlist"

// Library is the name of the library under test.
const Library = "memberlist"

const (
	LabelMaxSize               = x.LabelMaxSize
	MetaMaxSize                = x.MetaMaxSize
	NodeJoin                   = x.NodeJoin
	NodeLeave                  = x.NodeLeave
	NodeUpdate                 = x.NodeUpdate
	ProtocolVersion2Compatible = x.ProtocolVersion2Compatible
	ProtocolVersionMax         = x.ProtocolVersionMax
	ProtocolVersionMin         = x.ProtocolVersionMin
	StateAlive                 = x.StateAlive
	StateDead                  = x.StateDead
	StateLeft                  = x.StateLeft
	StateSuspect               = x.StateSuspect
)

// Functions of the library.
var (
	Create             = x.Create
	DefaultLANConfig   = x.DefaultLANConfig
	DefaultLocalConfig = x.DefaultLocalConfig
	DefaultWANConfig   = x.DefaultWANConfig
	LogAddress         = x.LogAddress
	LogConn            = x.LogConn
	LogStringAddress   = x.LogStringAddress
	NewKeyring         = x.NewKeyring
	NewNetTransport    = x.NewNetTransport
	ParseCIDRs         = x.ParseCIDRs
	ValidateKey        = x.ValidateKey
)

// Types of the library.
type (
	Address                 = x.Address
	AliveDelegate           = x.AliveDelegate
	Broadcast               = x.Broadcast
	ChannelEventDelegate    = x.ChannelEventDelegate
	Config                  = x.Config
	ConflictDelegate        = x.ConflictDelegate
	Delegate                = x.Delegate
	EventDelegate           = x.EventDelegate
	IngestionAwareTransport = x.IngestionAwareTransport
	Keyring                 = x.Keyring
	Memberlist              = x.Memberlist
	MergeDelegate           = x.MergeDelegate
	MockAddress             = x.MockAddress
	MockNetwork             = x.MockNetwork
	MockTransport           = x.MockTransport
	NamedBroadcast          = x.NamedBroadcast
	NetTransport            = x.NetTransport
	NetTransportConfig      = x.NetTransportConfig
	NoPingResponseError     = x.NoPingResponseError
	Node                    = x.Node
	NodeAwareTransport      = x.NodeAwareTransport
	NodeEvent               = x.NodeEvent
	NodeEventType           = x.NodeEventType
	NodeStateType           = x.NodeStateType
	Packet                  = x.Packet
	PingDelegate            = x.PingDelegate
	TransmitLimitedQueue    = x.TransmitLimitedQueue
	Transport               = x.Transport
	UniqueBroadcast         = x.UniqueBroadcast
)
