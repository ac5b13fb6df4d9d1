package api

import "time"

// A Member is a node of the cluster as the agent knows it.
type Member struct {
	Name  string  `json:"name"`
	ID    string  `json:"id"` // a UUID, new at every start of the node
	Addr  string  `json:"addr"`
	State string  `json:"state"` // alive, suspect, failed or left
	Zone  string  `json:"zone,omitempty"`
	RTT   float64 `json:"rtt_ms,omitempty"` // milliseconds; absent if it was never measured
	Meta  []byte  `json:"meta,omitempty"`   // base64 in JSON
	Self  bool    `json:"self,omitempty"`
}

// A Link is a neighbor, with which the agent exchanges broadcasts in both directions.
type Link struct {
	Name         string  `json:"name"`
	Addr         string  `json:"addr"`
	Zone         string  `json:"zone,omitempty"`
	RTT          float64 `json:"rtt_ms,omitempty"`
	Loss         float64 `json:"loss"`         // fraction of the recently sent bytes that were lost, 0 to 1
	Backlog      int     `json:"backlog"`      // bytes queued for the neighbor
	Datagram     int     `json:"datagram"`     // bytes of the largest datagram that is known to pass
	Narrow       bool    `json:"narrow"`       // the path does not carry datagrams of the configured size
	Deaf         bool    `json:"deaf"`         // the neighbor reports that it receives nothing from the agent
	Subscription bool    `json:"subscription"` // the agent chose the neighbor
	Subscriber   bool    `json:"subscriber"`   // the neighbor chose the agent
}

// A Propagation tells how long gossip takes to the agent, by the beacons of other nodes.
type Propagation struct {
	Zones   []ZonePropagation `json:"zones"`
	Origins []Origin          `json:"origins"` // those that are behind first
}

// A ZonePropagation has the times of the last beacons from one zone.
type ZonePropagation struct {
	Zone   string    `json:"zone"` // empty for nodes without one
	Count  uint64    `json:"count"`
	Median float64   `json:"median_ms"`
	P95    float64   `json:"p95_ms"`
	Max    float64   `json:"max_ms"`
	Margin float64   `json:"margin_ms"` // maximum error of the times, if the two directions of a path differ
	Heard  time.Time `json:"heard"`
}

// An Origin is a member whose beacons arrive.
type Origin struct {
	Name    string    `json:"name"`
	Zone    string    `json:"zone,omitempty"`
	Heard   time.Time `json:"heard"`
	Took    float64   `json:"took_ms"` // 0 if it is not known
	Overdue bool      `json:"overdue"` // its last three beacons did not arrive
}

// Self describes the agent.
type Self struct {
	Member   Member    `json:"member"`
	Version  string    `json:"version"`
	Started  time.Time `json:"started"`
	Health   int       `json:"health"` // 0 is healthy
	Label    string    `json:"label,omitempty"`
	Stats    Stats     `json:"stats"`
	Handlers Handlers  `json:"handlers"`
}

// Stats are the counters of gwyh.Stats.
type Stats struct {
	Members             int               `json:"members"`
	Links               int               `json:"links"`
	Subscriptions       int               `json:"subscriptions"`
	DefaultKey          bool              `json:"default_key"`
	WeakKeys            int               `json:"weak_keys"`
	BroadcastsSent      uint64            `json:"broadcasts_sent"`
	BroadcastsDelivered uint64            `json:"broadcasts_delivered"`
	BroadcastsDuplicate uint64            `json:"broadcasts_duplicate"`
	BroadcastsCrossZone uint64            `json:"broadcasts_cross_zone"`
	DatagramsSent       uint64            `json:"datagrams_sent"`
	DatagramsReceived   uint64            `json:"datagrams_received"`
	BytesSent           uint64            `json:"bytes_sent"`
	BytesReceived       uint64            `json:"bytes_received"`
	Dropped             uint64            `json:"dropped"`
	Drops               map[string]uint64 `json:"drops,omitempty"` // the same by reason, as in docs/METRICS.md
	EventsMissed        uint64            `json:"events_missed"`   // events that a slow reader of the event stream did not get
}

// Handlers counts calls of event handlers.
type Handlers struct {
	Run     uint64 `json:"run"`     // commands that were started
	Failed  uint64 `json:"failed"`  // those of run that could not be started, failed or took too long
	Dropped uint64 `json:"dropped"` // events that were dropped because a handler was too slow
}

// An Event is an element of the event stream and the cause of a handler's call.
type Event struct {
	ID      uint64    `json:"id"` // starts from 1 at every start of the agent
	Time    time.Time `json:"time"`
	Type    string    `json:"type"`
	Member  *Member   `json:"member,omitempty"`  // set for member events
	Message *Message  `json:"message,omitempty"` // set for message events
	Missed  uint64    `json:"missed,omitempty"`  // number of events just before this one that this reader did not get

	// Set for member-failed if the agent had a link with the member: it was silent, or it did not hear the agent.
	Heard     time.Time `json:"heard,omitzero"`      // when its last packet arrived
	DeafSince time.Time `json:"deaf_since,omitzero"` // when it began to report that it hears nothing from the agent
}

// The types of events.
const (
	MemberJoin   = "member-join"
	MemberLeave  = "member-leave"
	MemberFailed = "member-failed"
	MemberUpdate = "member-update"
	MessageEvent = "message"
)

// EventTypes are all types of events.
var EventTypes = []string{MemberJoin, MemberLeave, MemberFailed, MemberUpdate, MessageEvent}

// A Message is a broadcast of an agent. A broadcast of another program has no name and no origin.
type Message struct {
	Name    string `json:"name,omitempty"`
	Origin  string `json:"origin,omitempty"` // name of the agent that sent it
	Payload []byte `json:"payload"`          // base64 in JSON
}

// A BroadcastRequest requests a broadcast. Payload and Text exclude each other.
type BroadcastRequest struct {
	Name    string `json:"name"`
	Payload []byte `json:"payload,omitempty"`
	Text    string `json:"text,omitempty"`
}

// A JoinRequest lists addresses in any form that gwyh's Join accepts.
type JoinRequest struct {
	Addresses []string `json:"addresses"`
}

// A JoinResponse has the number of addresses reached.
type JoinResponse struct {
	Reached int `json:"reached"`
}

// A PingRequest names a member, or the address of any node.
type PingRequest struct {
	Name string `json:"name,omitempty"`
	Addr string `json:"addr,omitempty"`
}

// A PingResponse is a measured round trip.
type PingResponse struct {
	RTT float64 `json:"rtt_ms"`
}

// A MetaRequest replaces the agent's metadata. Meta and Text exclude each other.
type MetaRequest struct {
	Meta []byte `json:"meta,omitempty"`
	Text string `json:"text,omitempty"`
}

// A Key describes a key of the agent. The API never shows the key itself.
type Key struct {
	Fingerprint string `json:"fingerprint"` // as in gwyh.KeyFingerprint; empty if the key is weak
	Primary     bool   `json:"primary"`
	Weak        bool   `json:"weak"` // it can be guessed
}

// A Warning is a condition that an operator should check.
type Warning struct {
	Code  string    `json:"code"`
	Text  string    `json:"text"`
	Node  string    `json:"node,omitempty"` // the node that the warning is about; absent for the agent's own node
	Since time.Time `json:"since,omitzero"`
}

// A KeyRequest names a key: by the key to add it, by the key or its fingerprint to use or remove it.
type KeyRequest struct {
	Key         []byte `json:"key,omitempty"` // base64 in JSON
	Fingerprint string `json:"fingerprint,omitempty"`
}

// A LogLine is a line of the agent's log.
type LogLine struct {
	Time  time.Time `json:"time"`
	Level string    `json:"level"`
	Text  string    `json:"text"`
}

// A Problem is the reason why a request failed.
type Problem struct {
	Error string `json:"error"`
}
