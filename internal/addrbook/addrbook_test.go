package addrbook

import (
	"net/netip"
	"testing"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func at(port int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 1}), uint16(port))
}

func TestMemberGoesBeforeWhatACallSaid(t *testing.T) {
	var b Book
	if got := b.Name(at(1)); got != "" {
		t.Errorf("empty Book: %q", got)
	}
	b.Hint(at(1), "told")
	b.Hint(at(2), "told")
	b.Hint(at(2), "")
	b.SetMember(at(1), wire.NodeID{1}, "member")
	if got := b.Name(at(1)) + " " + b.Name(at(2)); got != "member told" {
		t.Error(got)
	}
	b.RemoveMember(at(1), wire.NodeID{2})
	if got := b.Name(at(1)); got != "member" {
		t.Errorf("after another member left the address: %q", got)
	}
	b.RemoveMember(at(1), wire.NodeID{1})
	if got := b.Name(at(1)); got != "told" {
		t.Error(got)
	}
}

func TestNamesFromCallsAreBounded(t *testing.T) {
	var b Book
	for port := range 3*HintsMax + 1 {
		b.Hint(at(port), "n")
		if len(b.hints) > HintsMax {
			t.Fatalf("%d names", len(b.hints))
		}
	}
	if b.Name(at(3*HintsMax)) != "n" {
		t.Error("the newest is not known")
	}
}

func TestNilBookNotesNothing(*testing.T) {
	var b *Book
	b.Hint(at(1), "n")
}
