package cli

import (
	"testing"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/api"
)

func TestInfoNamesTheReasonsOfDrops(t *testing.T) {
	for want, st := range map[string]api.Stats{
		"0": {},
		"30 (unexpected 22, replay 4, write_too_big 4)": {Dropped: 30, Drops: map[string]uint64{"write_too_big": 4, "unexpected": 22, "replay": 4}},
	} {
		if got := dropped(&st); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
