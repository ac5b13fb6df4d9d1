package joining

import (
	"testing"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestDialIsRememberedUntilItsHandshakeEnds(t *testing.T) {
	d := NewDials()
	switch _, ok := d.Get(1); {
	case ok:
		t.Error("an attempt is known before any was begun")
	case d.Len() != 0:
		t.Errorf("%v handshakes are under way, want 0", d.Len())
	case d.Dialing(id(1)):
		t.Error("node 1 counts as being dialed")
	}
	want := Dial{Purpose: ForPing, Member: id(1), To: seed, Token: 9}
	d.Add(1, want)
	if got, ok := d.Get(1); !ok || got != want {
		t.Errorf("attempt 1 is %+v, %v", got, ok)
	}
	switch {
	case !d.Dialing(id(1)):
		t.Error("node 1 does not count as being dialed")
	case d.Dialing(id(2)):
		t.Error("node 2 counts as being dialed")
	case d.Len() != 1:
		t.Errorf("%v handshakes are under way, want 1", d.Len())
	}
	if got, ok := d.Take(1); !ok || got != want {
		t.Errorf("attempt 1 was %+v, %v", got, ok)
	}
	if got, ok := d.Take(1); ok || got != (Dial{}) {
		t.Errorf("taken twice: %+v", got)
	}
	if d.Dialing(id(1)) || d.Len() != 0 {
		t.Error("it is still being dialed")
	}
}

func TestMemberIsDialedUntilItsLastHandshakeEnds(t *testing.T) {
	d := NewDials()
	for a := handshake.AttemptID(1); a <= 3; a++ {
		d.Add(a, Dial{Member: id(1)})
	}
	d.Add(4, Dial{Member: id(2)})
	for a := handshake.AttemptID(1); a <= 3; a++ {
		if !d.Dialing(id(1)) {
			t.Errorf("not dialed with attempt %d under way", a)
		}
		d.Take(a)
	}
	if d.Dialing(id(1)) || !d.Dialing(id(2)) {
		t.Errorf("%v, 2: %v", d.Dialing(id(1)), d.Dialing(id(2)))
	}
}

func TestAttemptThatIsAddedTwiceCountsOnce(t *testing.T) {
	d := NewDials()
	d.Add(1, Dial{Member: id(1)})
	d.Add(1, Dial{Member: id(2)})
	switch {
	case d.Dialing(id(1)):
		t.Error("node 1 counts as being dialed")
	case !d.Dialing(id(2)):
		t.Error("node 2 does not count as being dialed")
	case d.Len() != 1:
		t.Errorf("%v handshakes are under way, want 1", d.Len())
	}
}

func TestHandshakeThatAnyNodeMayAnswerIsTowardNoMember(t *testing.T) {
	d := NewDials()
	d.Add(1, Dial{Purpose: ForJoin, To: seed})
	if d.Dialing(id(1)) || d.Dialing(wire.NodeID{}) {
		t.Error("it counts as dialing a member")
	}
	if d.Take(1); len(d.toward) != 0 {
		t.Errorf("%d members are left", len(d.toward))
	}
}
