package wire

import (
	"bytes"
	"reflect"
	"testing"
)

// rolled returns members in every state, and their encoding as a member list.
func rolled() (all []Member, b []byte) {
	for state := StateAlive; state <= StateLeft; state++ {
		m := aliveMember()
		m.State, m.ID[0] = state, byte(state)
		all = append(all, m)
		b = AppendMemberList(b, &m)
	}
	return all, b
}

func TestMemberListHasAllOfEachMemberAndItsState(t *testing.T) {
	want, b := rolled()
	var got []Member
	if err := ParseMemberList(b, func(m *Member) bool { got = append(got, *m); return true }); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v: got %+v", err, got)
	}
	n := 0
	if err := ParseMemberList(b, func(*Member) bool { n++; return n < 2 }); err != nil || n != 2 {
		t.Errorf("stopped after %d: %v", n, err)
	}
}

func TestBrokenRollIsRefused(t *testing.T) {
	_, b := rolled()
	whole := 0
	for n := range b {
		if ParseMemberList(b[:n], func(*Member) bool { return true }) == nil {
			whole++
		}
	}
	if whole != int(StateLeft)+1 {
		t.Errorf("%d prefixes are rolls", whole)
	}
	dead := Member{State: StateDead, ID: NodeID(id1)}
	for name, b := range map[string][]byte{
		"a later state":  append([]byte{byte(StateLeft) + 1}, b[1:]...),
		"no alive entry": AppendMember([]byte{0}, &dead),
	} {
		if ParseMemberList(b, func(*Member) bool { return true }) == nil {
			t.Error(name)
		}
	}
}

func FuzzRoll(f *testing.F) {
	_, b := rolled()
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var again []byte
		if ParseMemberList(b, func(m *Member) bool { again = AppendMemberList(again, m); return true }) != nil {
			return
		}
		var twice []byte
		if err := ParseMemberList(again, func(m *Member) bool { twice = AppendMemberList(twice, m); return true }); err != nil || !bytes.Equal(again, twice) {
			t.Errorf("%v: %x, then %x", err, again, twice)
		}
	})
}
