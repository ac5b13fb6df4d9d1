package outcome

import (
	"slices"
	"testing"
)

func TestWorkActsInOrderAndLeavesTheBufferEmpty(t *testing.T) {
	var b Buffer[int]
	var got []int
	b.Work(append(b, 1, 2, 3), func(n *int) { got = append(got, *n) })
	if !slices.Equal(got, []int{1, 2, 3}) || len(b) != 0 {
		t.Errorf("acted on %v, %d are left", got, len(b))
	}
}

func TestOutcomesOfANestedInputComeBeforeTheNextOne(t *testing.T) {
	var b Buffer[int]
	var got []int
	var act func(n *int)
	act = func(n *int) {
		got = append(got, *n)
		if *n < 10 {
			b.Work(append(b, *n*10, *n*10+1), act)
		}
	}
	b.Work(append(b, 1, 2), act)
	if want := []int{1, 10, 11, 2, 20, 21}; !slices.Equal(got, want) {
		t.Errorf("acted on %v, want %v", got, want)
	}
	if len(b) != 0 {
		t.Errorf("%d are left", len(b))
	}
}

func TestInputWithoutOutcomesCallsNobody(t *testing.T) {
	b := Buffer[int]{7}
	b.Work(b, func(*int) { t.Error("called") })
	if len(b) != 1 {
		t.Errorf("%d outcomes are left, want the one of the input in progress", len(b))
	}
}

func TestWorkDoesNotAllocateOnceTheBufferHasGrown(t *testing.T) {
	var b Buffer[int]
	sum := 0
	act := func(n *int) { sum += *n }
	b.Work(append(b, 1, 2, 3, 4), act)
	if n := testing.AllocsPerRun(100, func() { b.Work(append(b, 1, 2, 3, 4), act) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestWorkedOutcomesAreForgotten(t *testing.T) {
	var b Buffer[*int]
	n := 1
	b.Work(append(b, &n), func(**int) {})
	if got := b[:1][0]; got != nil {
		t.Error("the buffer still points to what an outcome pointed to")
	}
}
