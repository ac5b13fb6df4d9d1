package gwyh

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"
)

func testKey(n int, fill byte) []byte { return bytes.Repeat([]byte{fill}, n) }

func testRing(t *testing.T, keys ...[]byte) *Keyring {
	t.Helper()
	k, err := NewKeyring(keys, keys[0])
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func wantKeys(t *testing.T, got [][]byte, want ...[]byte) {
	t.Helper()
	if !slices.EqualFunc(got, want, bytes.Equal) {
		t.Fatalf("keys %q, want %q", got, want)
	}
}

func TestKeysOf16And24And32BytesAreValid(t *testing.T) {
	for n := range 65 {
		want := n == 16 || n == 24 || n == 32
		if err := ValidateKey(make([]byte, n)); (err == nil) != want {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestKeyringOfNothingIsEmpty(t *testing.T) {
	k, err := NewKeyring(nil, nil)
	if err != nil || k == nil || len(k.GetKeys()) != 0 || k.GetPrimaryKey() != nil {
		t.Fatal(k, err)
	}
	if err := k.RemoveKey(testKey(16, 1)); err != nil {
		t.Fatal(err)
	}
	if err := k.UseKey(testKey(16, 1)); err == nil {
		t.Fatal("used a key that is not there")
	}
	if err := k.AddKey(testKey(24, 1)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(k.GetPrimaryKey(), testKey(24, 1)) {
		t.Fatal("the first key of an empty ring is not the primary one")
	}
}

func TestNewKeyringRejectsBadKeys(t *testing.T) {
	for name, c := range map[string]struct {
		keys    [][]byte
		primary []byte
		says    string
	}{
		"no primary":  {[][]byte{testKey(16, 1)}, nil, "primary"},
		"bad primary": {nil, testKey(15, 1), "primary key: key of 15 bytes"},
		"bad key":     {[][]byte{testKey(16, 1), testKey(5, 2)}, testKey(16, 1), "keys[1]: key of 5 bytes"},
	} {
		if k, err := NewKeyring(c.keys, c.primary); k != nil || err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeyringKeepsThePrimaryFirst(t *testing.T) {
	a, b, c := testKey(16, 'a'), testKey(24, 'b'), testKey(32, 'c')
	k, err := NewKeyring([][]byte{a, b}, c)
	if err != nil {
		t.Fatal(err)
	}
	wantKeys(t, k.GetKeys(), c, a, b)
	for _, err := range []error{k.AddKey(b), k.UseKey(b)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	wantKeys(t, k.GetKeys(), b, c, a)
	if err := k.UseKey(testKey(16, 'x')); err == nil {
		t.Fatal("used a key that is not in the ring")
	}
	if err := k.RemoveKey(b); err == nil {
		t.Fatal("removed the primary key")
	}
	for range 2 {
		if err := k.RemoveKey(c); err != nil {
			t.Fatal(err)
		}
	}
	wantKeys(t, k.GetKeys(), b, a)
}

func TestKeysAreCopiedInAndOut(t *testing.T) {
	own := testKey(16, 'a')
	k := testRing(t, own)
	own[0] = 'x'
	k.GetKeys()[0][0] = 'y'
	k.GetPrimaryKey()[0] = 'z'
	wantKeys(t, k.GetKeys(), testKey(16, 'a'))
}

func TestKeyringTellsWatchersOfChanges(t *testing.T) {
	a, b := testKey(16, 'a'), testKey(16, 'b')
	k := testRing(t, a)
	var seen [2]int
	var last [][]byte
	stop := k.watch(func() { seen[0]++; last = k.GetKeys() })
	k.watch(func() { seen[1]++ })
	for _, err := range []error{k.AddKey(b), k.UseKey(b), k.RemoveKey(a)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	wantKeys(t, last, b)
	if k.AddKey(testKey(3, 1)) == nil || k.UseKey(a) == nil || k.RemoveKey(b) == nil || seen != [2]int{3, 3} {
		t.Fatalf("calls %v, want 3 each, and none for errors", seen)
	}
	stop()
	stop()
	if err := k.AddKey(a); err != nil || seen != [2]int{3, 4} {
		t.Fatal("told after stop", seen, err)
	}
}

func TestKeyringIsSafeForConcurrentUse(t *testing.T) {
	a := testKey(16, 'a')
	k := testRing(t, a)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			own := testKey(16, byte(i))
			for range 100 {
				stop := k.watch(func() { k.GetKeys() })
				if k.AddKey(own) != nil || k.UseKey(own) != nil || k.UseKey(a) != nil || len(k.GetPrimaryKey()) != 16 {
					panic("a key of its own is gone")
				}
				_ = k.RemoveKey(own)
				stop()
			}
		})
	}
	wg.Wait()
	for i := range 4 {
		if err := k.UseKey(a); err != nil {
			t.Fatal(err)
		}
		_ = k.RemoveKey(testKey(16, byte(i)))
	}
	wantKeys(t, k.GetKeys(), a)
}

func TestSecretKeyBecomesThePrimaryKey(t *testing.T) {
	a, b := testKey(16, 'a'), testKey(16, 'b')
	c := &Config{SecretKey: b}
	if err := installSecretKey(c); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, c.Keyring.GetKeys(), b)

	c = &Config{SecretKey: b, Keyring: testRing(t, a)}
	if err := installSecretKey(c); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, c.Keyring.GetKeys(), b, a)

	for _, other := range [][]byte{nil, {}, []byte("hunter2")} {
		c = &Config{SecretKey: other}
		if err := installSecretKey(c); err != nil || c.Keyring != nil {
			t.Fatal(err, c.Keyring)
		}
	}
}

func TestPreSharedKeysInOrder(t *testing.T) {
	a, b, odd := testKey(16, 'a'), testKey(32, 'b'), []byte("a sentence nobody guesses")
	empty, _ := NewKeyring(nil, nil)
	five := testRing(t, testKey(16, 1), testKey(16, 2), testKey(16, 3), testKey(16, 4), testKey(16, 5))
	for name, c := range map[string]struct {
		secret []byte
		ring   *Keyring
		want   [][]byte
		warns  string
	}{
		"nothing":               {nil, nil, [][]byte{[]byte("insecure")}, "insecure"},
		"an empty ring":         {[]byte{}, empty, [][]byte{[]byte("insecure")}, "insecure"},
		"a ring":                {nil, testRing(t, a, b), [][]byte{a, b}, ""},
		"a secret, rotated out": {b, testRing(t, a), [][]byte{a}, ""},
		"gwyh's kind of secret": {odd, nil, [][]byte{odd}, ""},
		"both":                  {odd, testRing(t, a, b), [][]byte{a, odd, b}, ""},
		"a short secret":        {[]byte("hunter2"), empty, [][]byte{[]byte("hunter2")}, "has 7 bytes"},
		"too many":              {nil, five, [][]byte{testKey(16, 1), testKey(16, 2), testKey(16, 3), testKey(16, 4)}, "5 keys"},
		"a secret and too many": {odd, five, [][]byte{testKey(16, 1), odd, testKey(16, 2), testKey(16, 3)}, "6 keys"},
	} {
		keys, warnings := preSharedKeys(c.secret, c.ring)
		wantKeys(t, keys, c.want...)
		all := strings.Join(warnings, "\n")
		if (all == "") != (c.warns == "") || !strings.Contains(all, c.warns) {
			t.Errorf("%s: warnings %q, want %q", name, all, c.warns)
		}
		if strings.Contains(all, "hunter2") {
			t.Errorf("%s: a warning shows the key", name)
		}
	}
}
