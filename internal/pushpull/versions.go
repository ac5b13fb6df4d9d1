package pushpull

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// versionsMax is the maximum number of remembered versions that all members understand, and of versions in a list.
const versionsMax = 64

// SearchRate limits the searches of all members that other nodes can cause, so that a node with invented versions cannot
// keep this node busy.
var SearchRate = quota.Rate{Burst: 64, Every: 100 * time.Millisecond / 64}

// Versions caches which versions all members understand. The zero value is ready to use.
type Versions struct {
	understood [][6]byte // each was compatible with all members when it was added
	searches   quota.Bucket
}

// understand reports whether two nodes each use versions that the other understands, in both protocols
// (PROTOCOL.md M9).
func understand(a, b [6]byte) bool {
	for i := 0; i < len(a); i += 3 {
		lowest, highest, current := i, i+1, i+2
		if !within(a[current], b[lowest], b[highest]) || !within(b[current], a[lowest], a[highest]) {
			return false
		}
	}
	return true
}

func within(version, lowest, highest byte) bool { return lowest <= version && version <= highest }

func (v *Versions) known(versions [6]byte) bool { return slices.Contains(v.understood, versions) }

// stranger returns a member that is incompatible with versions, or nil if there is none. It ignores the node except.
func (v *Versions) stranger(t *members.Table, versions [6]byte, except wire.NodeID) *members.Entry {
	if v.known(versions) {
		return nil
	}
	for m := range t.Each {
		if m.ID != except && !m.Legacy() && !understand(versions, m.Versions) {
			return m
		}
	}
	return nil
}

// Note records the versions of a current or possible member. It drops remembered versions that are incompatible with it.
func (v *Versions) Note(versions [6]byte) {
	if v.known(versions) {
		return
	}
	v.understood = slices.DeleteFunc(v.understood, func(o [6]byte) bool { return !understand(o, versions) })
	if len(v.understood) >= versionsMax {
		v.understood = v.understood[1:]
	}
	v.understood = append(v.understood, versions)
}

// disagreement returns the reason why the nodes of a list cannot join those of the table, or nil if they can. Each node
// must understand the versions that all others use.
func (v *Versions) disagreement(t *members.Table, list []members.Member) error {
	var distinct [][6]byte
	for i := range list {
		m := &list[i]
		if !judged(m) || slices.Contains(distinct, m.Versions) {
			continue
		}
		if len(distinct) == versionsMax {
			return errTooManyVersions
		}
		if s := v.stranger(t, m.Versions, m.ID); s != nil {
			return Disagreement(m.Name, m.Versions, s)
		}
		distinct = append(distinct, m.Versions)
	}
	return nil
}

// judged reports whether the versions of a member of a list matter.
func judged(m *members.Member) bool { return m.State <= wire.StateSuspect && m.ID.IsGo() }

// Disagreement returns the error for a node that is incompatible with a member.
func Disagreement(name string, versions [6]byte, s *members.Entry) *VersionError {
	return &VersionError{Names: [2]string{name, s.Name}, Versions: [2][6]byte{versions, s.Versions}}
}
