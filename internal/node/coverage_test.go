package node

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func names(list []member) (names []string) {
	for _, m := range list {
		names = append(names, m.Name)
	}
	slices.Sort(names)
	return names
}

func TestCoverageListsWhoHasABroadcastAndWhoDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w network
		a, b, _ := trio(t, &w)
		for _, size := range []int{10, 300 << 10} {
			id, err := b.BroadcastID(bytes.Repeat([]byte("x"), size))
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			c, err := b.Coverage(t.Context(), id)
			if err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
			if !slices.Equal(names(c.Has), []string{"a", "b", "c"}) {
				t.Errorf("%d bytes: %q have it, want all", size, names(c.Has))
			}
			if c.Lacks != nil || c.Unknown != nil {
				t.Errorf("%d bytes: %q lack it, of %q it is unknown", size, names(c.Lacks), names(c.Unknown))
			}
		}
		// No member has this message.
		c, err := a.Coverage(t.Context(), wire.MessageID{6: 0x80, 15: 1})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(names(c.Lacks), []string{"a", "b", "c"}) {
			t.Errorf("%q lack an unknown message, want all", names(c.Lacks))
		}
		if c.Has != nil || c.Unknown != nil {
			t.Errorf("%q have an unknown message, of %q that is unknown", names(c.Has), names(c.Unknown))
		}
	})
}

func TestCoverageOfAMemberThatIsSilentIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w network
		a, _, c := trio(t, &w)
		id, err := a.BroadcastID([]byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := c.Shutdown(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got, err := a.Coverage(ctx, id)
		if err != nil || !slices.Equal(names(got.Has), []string{"a", "b"}) || !slices.Equal(names(got.Unknown), []string{"c"}) {
			t.Errorf("%+v, %v", got, err)
		}
		// The call ends by itself once the member is known to be dead.
		if got, err = a.Coverage(t.Context(), id); err != nil || len(got.Has) != 2 || got.Unknown != nil {
			t.Errorf("after its death: %+v, %v", got, err)
		}
	})
}

func TestCoverageEndsWithTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w network
		a, b, _ := trio(t, &w)
		_ = b.Shutdown()
		ended := make(chan error, 1)
		go func() {
			_, err := a.Coverage(t.Context(), wire.MessageID{})
			ended <- err
		}()
		synctest.Wait()
		_ = a.Shutdown()
		if err := <-ended; err == nil {
			t.Error("no error")
		}
	})
}

func TestCoverageReachesMembersWithoutASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w network
		var all []*Node[member]
		for i := range 30 {
			n := w.start(t, string([]byte{'a' + byte(i/10), '0' + byte(i%10)}), nil)
			if i > 0 {
				join(t, n, address(all[0]))
			}
			all = append(all, n)
		}
		time.Sleep(20 * time.Second)
		id, err := all[7].BroadcastID([]byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		begin := time.Now()
		c, err := all[7].Coverage(t.Context(), id)
		if err != nil || len(c.Has) != 30 {
			t.Errorf("%d of 30 have it, %d lack it, %d are unknown, %v", len(c.Has), len(c.Lacks), len(c.Unknown), err)
		}
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
