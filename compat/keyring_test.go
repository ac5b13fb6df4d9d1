package compat

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	memberlist "github.com/gwyh-go/gwyh/compat/lib"
)

var keyA, keyB, keyC = bytes.Repeat([]byte("a"), 16), bytes.Repeat([]byte("b"), 24), bytes.Repeat([]byte("c"), 32)

func TestKeyHas16Or24Or32Bytes(t *testing.T) {
	for size := range 40 {
		err := memberlist.ValidateKey(make([]byte, size))
		if want := size == 16 || size == 24 || size == 32; (err == nil) != want {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestKeyringOfNothingIsEmpty(t *testing.T) {
	k, err := memberlist.NewKeyring(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "keys", k.GetKeys(), [][]byte(nil))
	same(t, "primary", k.GetPrimaryKey(), []byte(nil))
}

func TestFirstKeyOfAnEmptyKeyringIsItsPrimary(t *testing.T) {
	k, _ := memberlist.NewKeyring(nil, nil)
	same(t, "AddKey", k.AddKey(keyB), error(nil))
	same(t, "primary", k.GetPrimaryKey(), keyB)
}

func TestKeyringNeedsAPrimaryKey(t *testing.T) {
	if _, err := memberlist.NewKeyring([][]byte{keyA}, nil); err == nil {
		t.Error("made without")
	}
}

func TestKeyringRefusesBadKeys(t *testing.T) {
	bad := bytes.Repeat([]byte("b"), 256)
	if _, err := memberlist.NewKeyring(nil, bad); err == nil {
		t.Error("as primary")
	}
	if _, err := memberlist.NewKeyring([][]byte{bad}, keyA); err == nil {
		t.Error("as one of others")
	}
	k, _ := memberlist.NewKeyring(nil, keyA)
	if err := k.AddKey(bad); err == nil {
		t.Error("added")
	}
	same(t, "keys", k.GetKeys(), [][]byte{keyA})
}

func TestKeyOfAnotherLengthInAKeyring(t *testing.T) {
	k, _ := memberlist.NewKeyring(nil, keyA)
	err := k.AddKey([]byte("a passphrase"))
	same(t, "refused", err != nil, differs(t, "key-length", true, false))
}

func TestFifthKeyOfAKeyring(t *testing.T) {
	k, _ := memberlist.NewKeyring(nil, keyA)
	var err error
	for fill := range byte(4) {
		err = k.AddKey(bytes.Repeat([]byte{fill}, 16))
	}
	same(t, "refused", err != nil, differs(t, "keyring-size", false, true))
}

// serf shows these errors to its users and searches for their words.
func TestErrorsOfAKeyringHaveTheirWords(t *testing.T) {
	k, err := memberlist.NewKeyring(nil, keyA)
	if err != nil {
		t.Fatal(err)
	}
	_, empty := memberlist.NewKeyring([][]byte{keyA}, nil)
	for words, err := range map[string]error{
		"empty primary key not allowed": empty, "key size must be 16, 24 or 32 bytes": memberlist.ValidateKey([]byte("short")),
		"requested key is not in the keyring": k.UseKey(keyB), "removing the primary key is not allowed": k.RemoveKey(keyA),
	} {
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v, want %s", err, words)
		}
	}
}

func TestPrimaryKeyStandsFirst(t *testing.T) {
	k, err := memberlist.NewKeyring([][]byte{keyA, keyB, keyC}, keyB)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "keys", k.GetKeys(), [][]byte{keyB, keyA, keyC})
	same(t, "UseKey", k.UseKey(keyC), error(nil))
	same(t, "keys after UseKey", k.GetKeys(), [][]byte{keyC, keyB, keyA})
}

func TestKeyIsInTheKeyringOnce(t *testing.T) {
	k, _ := memberlist.NewKeyring(nil, keyA)
	for range 3 {
		same(t, "AddKey", k.AddKey(keyB), error(nil))
	}
	same(t, "keys", k.GetKeys(), [][]byte{keyA, keyB})
}

func TestUnknownKeyCannotBeUsed(t *testing.T) {
	k, _ := memberlist.NewKeyring(nil, keyA)
	if err := k.UseKey(keyB); err == nil {
		t.Error("used")
	}
	same(t, "primary", k.GetPrimaryKey(), keyA)
}

func TestPrimaryKeyCannotBeRemoved(t *testing.T) {
	k, _ := memberlist.NewKeyring([][]byte{keyB}, keyA)
	if err := k.RemoveKey(keyA); err == nil {
		t.Error("removed")
	}
	same(t, "RemoveKey", k.RemoveKey(keyB), error(nil))
	same(t, "of an unknown key", k.RemoveKey(keyC), error(nil))
	same(t, "keys", k.GetKeys(), [][]byte{keyA})
}

func TestRemoveKeyFromAnEmptyKeyring(t *testing.T) {
	k, _ := memberlist.NewKeyring(nil, nil)
	with := panics(func() { _ = k.RemoveKey(keyA) })
	same(t, "panics", with != nil, differs(t, "empty-keyring", true, false))
}

// withRing configures a Keyring instead of a SecretKey.
func withRing(t *testing.T, primary []byte, others ...[]byte) func(*memberlist.Config, *app) {
	return func(conf *memberlist.Config, _ *app) {
		k, err := memberlist.NewKeyring(others, primary)
		if err != nil {
			t.Fatal(err)
		}
		conf.SecretKey, conf.Keyring = nil, k
	}
}

func TestNodesOfDifferentKeysDoNotMeet(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.node("a", withRing(t, keyA)), c.node("b", withRing(t, keyB))
		reached, err := b.Join([]string{a.end.addr()})
		c.same("Join", []any{reached, err != nil}, []any{0, true})
		c.same("members", a.names()+", "+b.names(), "a, b")
	})
}

func TestNodesMeetByAKeyThatIsNotThePrimaryOfBoth(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.node("a", withRing(t, keyA, keyB)), c.node("b", withRing(t, keyB, keyA))
		c.join(a, b)
		c.soon("they know each other", func() bool { return a.names() == "a b" && b.names() == "a b" })
		a.broadcast("from a")
		b.broadcast("from b")
		c.soon("messages pass", func() bool { return len(a.messages()) > 0 && len(b.messages()) > 0 })
	})
}

func TestKeysAreRotatedUnderALiveCluster(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		var nodes []*node
		for i := range 4 {
			nodes = append(nodes, c.node(fmt.Sprint("n", i), withRing(t, keyA)))
		}
		c.join(nodes[0], nodes[1:]...)
		for _, n := range nodes {
			c.soon("all know all", func() bool { return n.names() == "n0 n1 n2 n3" })
		}
		nodes[0].queue.RetransmitMult = 20 // memberlist chooses its peers at random
		sent := 0
		steps := []func(*memberlist.Keyring) error{
			func(k *memberlist.Keyring) error { return k.AddKey(keyC) },
			func(k *memberlist.Keyring) error { return k.UseKey(keyC) },
			func(k *memberlist.Keyring) error { return k.RemoveKey(keyA) },
		}
		for _, step := range steps {
			for _, n := range nodes {
				if err := step(n.conf.Keyring); err != nil {
					t.Fatal(err)
				}
				nodes[0].broadcast(fmt.Sprint("message ", sent))
				sent++
				time.Sleep(2 * time.Second)
			}
		}
		time.Sleep(30 * time.Second)
		for _, n := range nodes {
			c.same("members", n.names(), "n0 n1 n2 n3")
			c.same("events", n.calls("leave"), []string(nil))
		}
		for _, n := range nodes[1:] {
			got := map[string]bool{}
			for _, m := range n.messages() {
				got[m] = true
			}
			c.same("different messages of "+n.LocalNode().Name, len(got), sent)
		}
		old := c.node("old", withRing(t, keyA))
		reached, err := old.Join([]string{nodes[0].end.addr()})
		c.same("Join with the old key", []any{reached, err != nil}, []any{0, true})
	})
}
