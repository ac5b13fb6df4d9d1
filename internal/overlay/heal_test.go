package overlay

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A lost is the Healing of node 0 among a number of other nodes.
type lost struct {
	*Healing
	*node
	timers      timer.Heap
	contactsDue int // calls of contact
	comparesDue int // calls of compare
}

func newLost(t *testing.T, count int) *lost {
	n := newNode(t, count)
	l := &lost{node: n}
	l.Healing = NewHealing(&n.table, testRand(2), &l.timers, func(time.Time) { l.contactsDue++ }, func(time.Time) { l.comparesDue++ })
	return l
}

func (l *lost) die(i int) *members.Entry {
	m := l.table.Get(testID(i))
	m.State = wire.StateDead
	l.table.Remove(l.now, m)
	l.MemberDied(l.now)
	return m
}

// contacts returns the number of contacts in a number of intervals, and the address of the last one.
func (l *lost) contacts(intervals int) (count int, to netip.AddrPort) {
	for range intervals {
		l.now = l.ContactAt()
		if addr, ok := l.Contact(l.now, false); ok {
			count, to = count+1, addr
		}
	}
	return count, to
}

func TestDeadMemberIsContactedNowAndThen(t *testing.T) {
	l := newLost(t, 3)
	if !l.ContactAt().IsZero() {
		t.Error("a contact is due although nobody is dead")
	}
	dead := l.die(1)
	if wait := l.ContactAt().Sub(l.now); wait < contactMin || wait > contactMax {
		t.Errorf("the first contact is due in %v", wait)
	}
	if count, to := l.contacts(20); count != 20 || to != dead.Addr {
		t.Errorf("%d contacts with %v", count, to)
	}
}

func TestContactIsSoonerWithoutAnyLiveMember(t *testing.T) {
	l := newLost(t, 1)
	l.die(1)
	if wait := l.ContactAt().Sub(l.now); wait < contactAlone || wait > 3*contactAlone {
		t.Errorf("the first contact is due in %v", wait)
	}
}

// PROTOCOL.md J1.
func TestFewNodesOfALargeClusterContactADeadOne(t *testing.T) {
	l := newLost(t, 1000)
	l.die(1)
	if count, _ := l.contacts(1000); count == 0 || count > 30 { // 9 are expected
		t.Errorf("%d contacts in 1000 intervals", count)
	}
}

// PROTOCOL.md J1.
func TestNobodyIsContactedWhereALiveMemberIs(t *testing.T) {
	l := newLost(t, 3)
	dead := l.die(1)
	l.table.Get(testID(2)).Addr = dead.Addr
	if count, _ := l.contacts(20); count != 0 {
		t.Errorf("%d contacts", count)
	}
}

func TestContactsEndWithTheLastDeadMember(t *testing.T) {
	l := newLost(t, 3)
	dead := l.die(1)
	dead.State = wire.StateAlive
	l.table.Add(dead)
	if _, ok := l.Contact(l.ContactAt(), false); ok || !l.ContactAt().IsZero() {
		t.Errorf("contacted: %v, the next is due at %v", ok, l.ContactAt())
	}
}

func TestNodeThatHasLeftContactsNobody(t *testing.T) {
	l := newLost(t, 3)
	l.die(1)
	l.leave(testID(0))
	if count, _ := l.contacts(20); count != 0 {
		t.Errorf("%d contacts", count)
	}
	if got := l.Seeds([]netip.AddrPort{testAddr(99)}, func(netip.AddrPort) bool { return false }); len(got) != 0 {
		t.Errorf("the seeds %v are contacted", got)
	}
}

// PROTOCOL.md J2.
func TestOnlySeedsWithoutAMemberAreContacted(t *testing.T) {
	l := newLost(t, 3)
	member, reached, linked, free := l.table.Get(testID(1)).Addr, testAddr(1000), testAddr(1001), testAddr(1002)
	l.Reached(reached, testID(2))
	got := l.Seeds([]netip.AddrPort{member, reached, linked, free}, func(a netip.AddrPort) bool { return a == linked })
	if len(got) != 1 || got[0] != free {
		t.Errorf("%v are contacted, want %v", got, free)
	}
	l.die(2)
	if l.Inhabited(reached) {
		t.Error("an address counts as inhabited although the node that answered there is dead")
	}
}

func TestSeedsContactedAtOnceAreBounded(t *testing.T) {
	l := newLost(t, 3)
	var seeds []netip.AddrPort
	for i := range 100 {
		seeds = append(seeds, testAddr(1000+i))
	}
	if got := l.Seeds(seeds, func(netip.AddrPort) bool { return false }); len(got) != seedsMax {
		t.Errorf("%d seeds are contacted", len(got))
	}
}

func TestAddressesOfJoinsAreBounded(t *testing.T) {
	l := newLost(t, 1)
	for i := range 2 * reachedMax {
		l.Reached(testAddr(i), testID(1))
	}
	if got := l.reached.Len(); got != reachedMax {
		t.Errorf("%d addresses are remembered", got)
	}
}

// PROTOCOL.md J3.
func TestOneOfTheReturnedIsComparedWith(t *testing.T) {
	l := newLost(t, 20)
	for i := 1; i <= 10; i++ {
		l.MemberReturned(l.now, l.table.Get(testID(i)))
	}
	wait := l.CompareAt().Sub(l.now)
	if wait < 0 || wait > compareWithin {
		t.Fatalf("the comparison is due in %v", wait)
	}
	l.now = l.CompareAt()
	m := l.Compare(l.now)
	if m == nil || !l.CompareAt().IsZero() {
		t.Fatalf("compared with %v, the next is due at %v", m, l.CompareAt())
	}
	l.MemberReturned(l.now, l.table.Get(testID(11)))
	if wait := l.CompareAt().Sub(l.now); wait < comparePause {
		t.Errorf("the next comparison is due in %v", wait)
	}
	l.leave(testID(11))
	if m := l.Compare(l.CompareAt()); m != nil {
		t.Errorf("compared with %v, which has left", m)
	}
}

func TestLegacyMemberIsNotComparedWith(t *testing.T) {
	l := newLost(t, 1)
	l.MemberReturned(l.now, l.addMember(legacyID(7), wire.Zone{}))
	if !l.CompareAt().IsZero() {
		t.Errorf("a comparison is due at %v", l.CompareAt())
	}
}

func TestContactIsDrawnAmongAllDead(t *testing.T) {
	l := newLost(t, 12)
	for i := 1; i <= 4; i++ {
		l.die(i)
	}
	met := map[netip.AddrPort]bool{}
	for range 200 {
		l.now = l.now.Add(time.Minute)
		if addr, ok := l.Contact(l.now, false); ok {
			met[addr] = true
		}
	}
	if len(met) != 4 {
		t.Errorf("%d of 4 dead members were contacted", len(met))
	}
}

func TestContactsAndComparisonsAreCalledWhenTheyAreDue(t *testing.T) {
	l := newLost(t, 3)
	l.die(1)
	l.MemberReturned(l.now, l.table.Get(testID(2)))
	if next, want := l.timers.Next(), timer.Soonest(l.ContactAt(), l.CompareAt()); !next.Equal(want) {
		t.Errorf("the next timer is at %v, want %v", next, want)
	}
	l.timers.Run(l.CompareAt())
	if l.comparesDue != 1 || l.contactsDue != 0 {
		t.Errorf("%d comparisons, %d contacts when a comparison is due", l.comparesDue, l.contactsDue)
	}
	l.timers.Run(l.ContactAt())
	if l.comparesDue != 1 || l.contactsDue != 1 {
		t.Errorf("%d comparisons, %d contacts when a contact is due", l.comparesDue, l.contactsDue)
	}
	l.Contact(l.ContactAt(), false)
	l.Compare(l.now)
	if next := l.timers.Next(); !next.Equal(l.ContactAt()) {
		t.Errorf("the next timer is at %v, want that of the next contact, at %v", next, l.ContactAt())
	}
}
