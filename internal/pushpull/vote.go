package pushpull

import (
	"bytes"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A VoteToken names a question about a node in the event that asks it and in the answer.
type VoteToken uint64

// An Entry is an alive entry, and how it reached this node.
type Entry struct {
	members.Member
	From   wire.NodeID // the peer that sent it; zero for none
	Synced bool        // it came with a comparison of tables, so it is not passed on
	Join   *Join       // in which it was learned; nil for none
}

// A Vote is an alive entry that waits for the verdict of the application.
type Vote struct {
	Entry
	token      VoteToken
	subscribes bool  // the node has asked to subscribe meanwhile
	newer      *Vote // a later entry of the same name
}

// Newer is the question to ask next: a later entry of the same name has arrived. nil for none.
func (v *Vote) Newer() *Vote { return v.newer }

// Subscribes reports whether the node has asked to subscribe while the application decided.
func (v *Vote) Subscribes() bool { return v.subscribes }

// latest is the newest entry of one name.
func (v *Vote) latest() *Vote {
	if v.newer != nil {
		return v.newer
	}
	return v
}

// votes are the questions about nodes.
type votes struct {
	last    VoteToken
	byName  map[string]*Vote
	byToken map[VoteToken]*Vote
	ofLists map[VoteToken]*Exchange // whose peers wait for a verdict
}

func (v *votes) askOfList(e *Exchange) VoteToken {
	v.last++
	if v.ofLists == nil {
		v.ofLists = make(map[VoteToken]*Exchange)
	}
	v.ofLists[v.last] = e
	return v.last
}

// SameNode reports whether an entry says of a member only what is known.
func SameNode(m *members.Member, e *wire.Member) bool {
	if m.Name != string(e.Name) || m.Addr != e.Addr || m.Versions != e.Versions {
		return false
	}
	return sameZone(m, e) && bytes.Equal(m.Meta, e.Meta)
}

func sameZone(m *members.Member, e *wire.Member) bool {
	return m.Zone.Valid == e.HasZone && m.Zone.Name == string(e.ZoneName)
}
