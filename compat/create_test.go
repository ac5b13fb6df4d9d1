package compat

import (
	"bytes"
	"errors"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	memberlist "github.com/gwyh-go/gwyh/compat/lib"
)

func TestCreateNotifiesOfTheNodeItselfBeforeItReturns(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		conf, a := c.config("a")
		a.meta = []byte("rack 7")
		m, err := memberlist.Create(conf)
		if err != nil {
			t.Fatal(err)
		}
		told := a.calls("meta", "alive", "join")
		c.same("told", told, []string{"meta", "alive a rack 7", "join a"})
		c.same("limit of NodeMeta", a.limits, []int{memberlist.MetaMaxSize})
		_ = m.Shutdown()
	})
}

func TestNewNodeIsItsOnlyMember(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a := c.node("a", func(conf *memberlist.Config, a *app) { a.meta = []byte("rack 7") })
		c.same("members", a.names(), "a")
		c.same("number", a.NumMembers(), 1)
		self := a.LocalNode()
		c.same("self", []string{self.Name, self.String(), self.Address(), string(self.Meta)}, []string{"a", "a", a.end.addr(), "rack 7"})
		full := self.FullAddress()
		c.same("full address", full.String(), "a ("+a.end.addr()+")")
		c.same("health", a.GetHealthScore(), 0)
		c.same("state", self.State, memberlist.StateAlive)
	})
}

func TestVersionsOfTheConfigAreThoseOfTheNode(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a := c.node("a", func(conf *memberlist.Config, _ *app) {
			conf.ProtocolVersion = 4
			conf.DelegateProtocolMin, conf.DelegateProtocolMax, conf.DelegateProtocolVersion = 2, 6, 3
		})
		b := c.node("b", func(conf *memberlist.Config, _ *app) {
			conf.ProtocolVersion = 4
			conf.DelegateProtocolMin, conf.DelegateProtocolMax, conf.DelegateProtocolVersion = 2, 6, 3
		})
		c.join(a, b)
		c.same("own", a.ProtocolVersion(), uint8(4))
		c.same("array", a.conf.BuildVsnArray(), []uint8{1, 5, 4, 2, 6, 3})
		for _, n := range b.Members() {
			c.same(n.Name, []uint8{n.PMin, n.PMax, n.PCur, n.DMin, n.DMax, n.DCur}, []uint8{1, 5, 4, 2, 6, 3})
		}
	})
}

func TestNotifyAliveMayRefuseTheNodeItself(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		n, err := c.try("a", func(_ *memberlist.Config, a *app) {
			a.alive = func(*memberlist.Node) error { return errors.New("not me") }
		})
		// memberlist creates a node without members, whose LocalNode panics. gwyh's node has itself as a member.
		what := "created"
		if err != nil {
			what = "an error"
		} else if with := panics(func() { n.LocalNode() }); with != nil {
			what = "created, LocalNode panics"
		}
		c.same("Create", what, differs(t, "refuses-itself", "created, LocalNode panics", "created"))
	})
}

func TestMetadataOf512BytesIsTaken(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		long := strings.Repeat("m", memberlist.MetaMaxSize)
		a, b := c.node("a"), c.node("b", func(_ *memberlist.Config, a *app) { a.meta = []byte(long) })
		c.join(a, b)
		c.soon("a knows the metadata", func() bool { return a.metaOf("b") == long })
	})
}

// This runs outside of a bubble, because a panic in Create leaves goroutines and sockets behind.
func TestMetadataAbove512BytesIsRefusedByCreate(t *testing.T) {
	a := newApp()
	a.meta = bytes.Repeat([]byte("m"), memberlist.MetaMaxSize+1)
	var err error
	with := panics(func() { err = refused(t, func(c *memberlist.Config) { c.Delegate = a }) })
	same(t, "panics, error", []bool{with != nil, err != nil}, differs(t, "long-metadata", []bool{true, false}, []bool{false, true}))
}

func TestCreateWritesThePortsThatWereZero(t *testing.T) {
	conf := memberlist.DefaultLANConfig()
	conf.Name, conf.BindAddr, conf.BindPort, conf.AdvertisePort, conf.LogOutput = "a", "127.0.0.1", 0, 0, &safeBuffer{}
	m, err := memberlist.Create(conf)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Shutdown() }()
	if got := int(m.LocalNode().Port); got == 0 || conf.BindPort != got || conf.AdvertisePort != got {
		t.Errorf("BindPort %d, AdvertisePort %d, the node's %d", conf.BindPort, conf.AdvertisePort, got)
	}
	same(t, "address", m.LocalNode().Addr.String(), "127.0.0.1")
}

func TestCreateWritesAKeyringMadeFromTheSecretKey(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a := c.node("a")
		if a.conf.Keyring == nil {
			t.Fatal("no Keyring")
		}
		c.same("primary", a.conf.Keyring.GetPrimaryKey(), key)
		c.same("encryption", a.conf.EncryptionEnabled(), true)
	})
}

func TestSecretKeyBecomesThePrimaryOfAKeyringThatIsThere(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		old := []byte("another key of16")
		a := c.node("a", func(conf *memberlist.Config, _ *app) {
			ring, err := memberlist.NewKeyring(nil, old)
			if err != nil {
				t.Fatal(err)
			}
			conf.Keyring = ring
		})
		c.same("keys", a.conf.Keyring.GetKeys(), [][]byte{key, old})
	})
}

func TestCreateLeavesTheRestOfTheConfigAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		conf, _ := c.config("a")
		before := *conf
		m, err := memberlist.Create(conf)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = m.Shutdown() }()
		written := []string{"Keyring", "BindPort", "AdvertisePort"}
		now, then := reflect.ValueOf(*conf), reflect.ValueOf(before)
		for _, f := range reflect.VisibleFields(now.Type()) {
			if !slices.Contains(written, f.Name) && !reflect.DeepEqual(now.FieldByIndex(f.Index).Interface(), then.FieldByIndex(f.Index).Interface()) {
				t.Errorf("%s was written", f.Name)
			}
		}
	})
}

func TestPortInUseIsAnError(t *testing.T) {
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	conf := memberlist.DefaultLANConfig()
	conf.BindAddr, conf.LogOutput = "127.0.0.1", &safeBuffer{}
	conf.BindPort = taken.LocalAddr().(*net.UDPAddr).Port
	if m, err := memberlist.Create(conf); err == nil {
		_ = m.Shutdown()
		t.Error("created")
	}
}

func TestAdvertisedAddressIsWhatOthersSee(t *testing.T) {
	a, b := loopback(t, "a"), loopback(t, "b", func(conf *memberlist.Config) {
		conf.AdvertiseAddr = "127.0.0.77"
	})
	own := b.LocalNode().Address()
	same(t, "own", own, net.JoinHostPort("127.0.0.77", strconv.Itoa(int(b.LocalNode().Port))))
	if reached, err := b.Join([]string{a.LocalNode().Address()}); reached != 1 || err != nil {
		t.Fatal(reached, err)
	}
	for _, n := range b.Members() {
		if n.Name == "b" {
			same(t, "in Members", n.Address(), own)
		}
	}
}

func TestAdvertisePortBesideABindPortOfZero(t *testing.T) {
	b := loopback(t, "b", func(conf *memberlist.Config) {
		conf.AdvertiseAddr, conf.AdvertisePort = "127.0.0.77", 4444
	})
	same(t, "is overwritten", b.LocalNode().Port != 4444, differs(t, "advertise-port", true, false))
}
