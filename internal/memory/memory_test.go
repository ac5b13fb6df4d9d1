package memory

import (
	"math/bits"
	"testing"
)

func TestSharesAndReserveStayWithinTheLimit(t *testing.T) {
	for limit := int64(Min); limit <= Max; limit += limit / 7 {
		if s := Divide(limit, subscriptions); s.Sum()+Reserve > limit {
			t.Errorf("%d: %d in shares, and %d reserved", limit, s.Sum(), Reserve)
		}
	}
}

func TestDefaultLimitGivesTheDefaultShares(t *testing.T) {
	if got := Divide(Default, subscriptions); got != (Shares{}).OrDefault() {
		t.Errorf("%+v, want %+v", got, Shares{}.OrDefault())
	}
}

func TestRingOfSmallMessagesIsAPowerOfTwo(t *testing.T) {
	for limit := int64(Min); limit <= Max; limit += limit / 7 {
		if s := Divide(limit, subscriptions); bits.OnesCount(uint(s.Small)) != 1 || s.Small < 8<<20 {
			t.Errorf("%d: %d bytes", limit, s.Small)
		}
	}
}
