package gwyh

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gwyh-go/gwyh/internal/handshake"
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
	switch {
	case err != nil:
		t.Fatal(err)
	case k == nil:
		t.Fatal("there is no keyring")
	case len(k.GetKeys()) != 0:
		t.Fatalf("there are %v keys, want 0", len(k.GetKeys()))
	case k.GetPrimaryKey() != nil:
		t.Fatalf("the primary key is %v, want nil", k.GetPrimaryKey())
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
		"bad primary": {nil, testKey(256, 1), "primary key: key of 256 bytes"},
		"bad key":     {[][]byte{testKey(16, 1), {}}, testKey(16, 1), "keys[1]: key of 0 bytes"},
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

func TestKeyringNotifiesWatchersOfChanges(t *testing.T) {
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
	switch {
	case k.AddKey(nil) == nil:
		t.Fatal("an empty key is added")
	case k.UseKey(a) == nil:
		t.Fatal("a key that is not there is used")
	case k.RemoveKey(b) == nil:
		t.Fatal("a key that is not there is removed")
	case seen != [2]int{3, 3}:
		t.Fatalf("the counts are %v, want %v", seen, [2]int{3, 3})
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
	others := maxKeys - 1 // besides a; the keyring refuses one more key
	for i := range others {
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
	for i := range others {
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

	for _, none := range [][]byte{nil, {}} {
		c = &Config{SecretKey: none}
		if err := installSecretKey(c); err != nil || c.Keyring != nil {
			t.Fatal(err, c.Keyring)
		}
	}
}

func TestSecretKeyOfAnyLengthIsInTheKeyring(t *testing.T) {
	for _, n := range []int{1, 7, 17, 255, 256, 5000} {
		c := &Config{SecretKey: testKey(n, 'p')}
		if err := installSecretKey(c); err != nil {
			t.Fatal(n, err)
		}
		wantKeys(t, c.Keyring.GetKeys(), c.SecretKey)
	}
}

func TestPassphraseOfSecretKeyIsGoneAfterRemoveKey(t *testing.T) {
	passphrase, next := []byte("a passphrase of no key's length"), testKey(16, 'n')
	c := testConfig("a", nil)
	c.SecretKey = passphrase
	m := create(t, c)
	for _, err := range []error{c.Keyring.AddKey(next), c.Keyring.UseKey(next), c.Keyring.RemoveKey(passphrase)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	keys := m.config.keys().Keys
	if len(keys) != 1 || keys[0].ID() != handshake.NewKey(next, "").ID() {
		t.Fatalf("%d keys are accepted", len(keys))
	}
}

func TestKeyOf1To255BytesIsTaken(t *testing.T) {
	k, _ := NewKeyring(nil, nil)
	for n, want := range map[int]bool{0: false, 1: true, 15: true, 255: true, 256: false} {
		err := k.AddKey(testKey(n, byte(n)))
		if (err == nil) != want {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestFifthKeyIsAnErrorOfWhateverAddsIt(t *testing.T) {
	four := [][]byte{testKey(16, 1), testKey(16, 2), testKey(16, 3), testKey(16, 4)}
	fifth := testKey(16, 5)
	k := testRing(t, four...)
	_, tooMany := NewKeyring(append(four, fifth), fifth)
	_, create := Create(&Config{SecretKey: fifth, Keyring: k})
	for name, err := range map[string]error{"AddKey": k.AddKey(fifth), "NewKeyring": tooMany, "Create": create} {
		if err == nil || !strings.Contains(err.Error(), "holds 4 keys, and nodes accept no more") {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantKeys(t, k.GetKeys(), four...)
	if err := k.AddKey(four[3]); err != nil {
		t.Errorf("one that is there: %v", err)
	}
}

func TestWeakKeyThatIsAddedLaterIsWarnedOfOnce(t *testing.T) {
	var out bytes.Buffer
	c := testConfig("a", nil)
	c.LogOutput = &out
	m := create(t, c)
	for _, err := range []error{c.Keyring.AddKey(make([]byte, 16)), c.Keyring.AddKey([]byte("sixteen byte kay")), c.Keyring.UseKey(make([]byte, 16))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	_ = m.Shutdown()
	if n := strings.Count(out.String(), "[WARN] gwyh: a key has 16 equal bytes"); n != 1 {
		t.Errorf("%d times: %q", n, out.String())
	}
}

func TestPreSharedKeysInOrder(t *testing.T) {
	a, b, odd := []byte("sixteen byte key"), []byte("thirty-two bytes of a longer key"), []byte("a sentence nobody guesses")
	insecure := []byte("insecure")
	empty, _ := NewKeyring(nil, nil)
	for name, c := range map[string]struct {
		ring  *Keyring
		want  [][]byte
		warns string
		weak  int
		open  bool
	}{
		"nothing":         {nil, [][]byte{insecure}, "set Config.SecretKey or Config.Keyring", 1, true},
		"an empty ring":   {empty, [][]byte{insecure}, "insecure", 1, true},
		"a ring":          {testRing(t, a, b), [][]byte{a, b}, "", 0, false},
		"a passphrase":    {testRing(t, odd, a), [][]byte{odd, a}, "", 0, false},
		"a short key":     {testRing(t, a, []byte("hunter2")), [][]byte{a, []byte("hunter2")}, "has 7 bytes", 1, false},
		"equal bytes":     {testRing(t, make([]byte, 32)), [][]byte{make([]byte, 32)}, "32 equal bytes", 1, false},
		"the default key": {testRing(t, a, insecure), [][]byte{a, insecure}, "anybody can join", 1, true},
	} {
		keys, known := preSharedKeys(c.ring)
		wantKeys(t, keys, c.want...)
		all := strings.Join(known.Warnings, "\n")
		if (all == "") != (c.warns == "") || !strings.Contains(all, c.warns) {
			t.Errorf("%s: warnings %q, want %q", name, all, c.warns)
		}
		if known.Weak != c.weak || known.Default != c.open {
			t.Errorf("%s: %d weak, default %v; want %d and %v", name, known.Weak, known.Default, c.weak, c.open)
		}
		if strings.Contains(all, "hunter2") {
			t.Errorf("%s: a warning shows the key", name)
		}
	}
}
