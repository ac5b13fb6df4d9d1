package timestamp

import (
	"math/rand/v2"
	"testing"
	"time"
)

// PROTOCOL.md W8.
func TestTimestampsAreReadInEveryFormGwyhTakes(t *testing.T) {
	want := time.Date(2023, 11, 14, 22, 13, 0, 500_000_000, time.UTC)
	for _, s := range []string{
		"2023-11-14T22:13:00.5Z", "2023-11-14t22:13:00.50z", "2023-11-14 22:13:00.500000Z",
		"2023-11-15T00:13:00.5+02:00", "2023-11-14T16:43:00.5-0530", "+2023-11-14T22:13:00.5000000009Z",
		"2023-11-14T22:12:60.5Z", "+002023-11-14T22:13:00.500000000+00:00",
	} {
		if got, err := Parse([]byte(s)); err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%s: %s %v", s, got, err)
		}
	}
}

func TestBrokenTimestampsAreRefused(t *testing.T) {
	for _, s := range []string{
		"", "Z", "2023-11-14", "2023-11-14T22:13:20", "2023-11-14T22:13:20.Z", "2023-13-14T22:13:20Z",
		"2023-00-14T22:13:20Z", "2023-02-29T22:13:20Z", "2023-04-31T22:13:20Z", "2023-11-00T22:13:20Z",
		"2023-11-14T24:13:20Z", "2023-11-14T22:60:20Z", "2023-11-14T22:13:61Z", "2023-11-14T22:13:20ZZ",
		"2023-11-14T22:13:20+2", "2023-11-14T22:13:20+24:00", "2023-11-14T22:13:20+02:60", "2023-11-14T22:13:20*02:00",
		"12023-11-14T22:13:20Z", "+1234567-11-14T22:13:20Z", "+999999-11-14T22:13:20Z", "-999999-01-01T00:00:00Z",
		"2023/11/14T22:13:20Z", "2023-11-14T22.13.20Z", "2023-1-14T22:13:20Z", "+123-11-14T22:13:20Z", "２０２３-11-14T22:13:20Z",
	} {
		if got, err := Parse([]byte(s)); err != ErrSyntax || !got.IsZero() {
			t.Errorf("%q: %s %v", s, got, err)
		}
	}
}

func TestTimestampsSurviveAPassage(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 1))
	for range 2000 {
		fraction := []int64{1, 1e3, 1e6, 1e9}[r.IntN(4)]
		want := time.Unix(r.Int64N(1<<38)-1<<37, r.Int64N(1e9/fraction)*fraction)
		text := Append(nil, want.In(time.FixedZone("", r.IntN(80000)-40000)))
		if got, err := Parse(text); err != nil || !got.Equal(want) {
			t.Fatalf("%s: %s %v", text, got, err)
		}
		if y := want.UTC().Year(); y >= 0 && y <= 9999 {
			if got, err := time.Parse(time.RFC3339, string(text)); err != nil || !got.Equal(want) {
				t.Fatalf("%s: %s %v", text, got, err)
			}
		}
	}
}
