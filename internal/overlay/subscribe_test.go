package overlay

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// PROTOCOL.md G3.
func TestUnansweredRequestIsRepeatedAndThenGivenUp(t *testing.T) {
	n := newNode(t, 5)
	p := n.peer(testID(1))
	n.does(n.Request(nil, n.now, p))
	n.expect("start 1")
	if next := n.tick(p); !next.Equal(n.now.Add(RequestInterval)) {
		t.Errorf("the next repeat is due at %v", next)
	}
	n.expect("")
	for range requestsMax - 1 {
		n.now = n.now.Add(RequestInterval)
		n.tick(p)
		n.expect("start 1")
	}
	n.now = n.now.Add(RequestInterval)
	if next := n.tick(p); !next.IsZero() {
		t.Errorf("it is due again at %v", next)
	}
	n.expect("avoided 1")
	if p.Subscribing() || !n.Avoids(n.now, p.ID()) {
		t.Errorf("subscribing %v, avoided %v", p.Subscribing(), n.Avoids(n.now, p.ID()))
	}
}

func TestRequestsToLegacyPeersAreNotRepeated(t *testing.T) {
	n := newNode(t, 1)
	p := n.peer(legacyID(9))
	n.does(n.Request(nil, n.now, p))
	n.expect("start 9")
	n.now = n.now.Add(time.Hour)
	if next := n.tick(p); !next.IsZero() || !p.Requested() {
		t.Errorf("it is due at %v, asked %v", next, p.Requested())
	}
}

func TestRefusalMakesAMemberAvoidedLongerEachTime(t *testing.T) {
	n := newNode(t, 5)
	p := n.peer(testID(1))
	var last time.Duration
	for i := range 12 {
		n.does(n.Request(nil, n.now, p))
		n.does(n.HandleEnd(nil, n.now, p))
		pause := n.avoided[p.ID()].until.Sub(n.now)
		want := min(avoidBase<<min(i, refusalsMax), avoidMax)
		if pause < want/2 || pause >= want*3/2 {
			t.Errorf("refusal %d: avoided for %v, want about %v", i, pause, want)
		}
		n.now = n.now.Add(pause)
		if n.Avoids(n.now, p.ID()) {
			t.Errorf("refusal %d: avoided for longer than %v", i, pause)
		}
		last = pause
	}
	if last < avoidMax/2 {
		t.Errorf("at last it is avoided for %v", last)
	}
}

func TestAvoidedMemberIsNotChosenUntilItsTimeIsOver(t *testing.T) {
	n := newNode(t, 3)
	n.does(n.Avoid(nil, n.now, testID(1)))
	n.expect("avoided 1")
	n.rechoose()
	if n.chosen(testID(1)) || len(n.Choice()) != 2 {
		t.Fatalf("%v are chosen", n.Choice())
	}
	if want := n.avoided[testID(1)].until; n.ChoiceAt().After(want) {
		t.Errorf("the next choice is at %v, later than %v", n.ChoiceAt(), want)
	}
	for n.Avoids(n.now, testID(1)) {
		n.rechoose()
	}
	if !n.chosen(testID(1)) {
		t.Error("it is still not chosen")
	}
}

func TestUnknownNodeIsNotAvoided(t *testing.T) {
	n := newNode(t, 1)
	n.does(n.Avoid(nil, n.now, testID(77)))
	n.expect("")
	n.does(n.Avoid(nil, n.now, testID(1)))
	n.expect("avoided 1")
	n.Forget(testID(1))
	if n.Avoids(n.now, testID(1)) {
		t.Error("a member is avoided although it was forgotten")
	}
}

// PROTOCOL.md G1.
func TestConfirmationMakesALinkAndEndsTheAvoidance(t *testing.T) {
	n := newNode(t, 3)
	p := n.peer(testID(1))
	n.does(n.Avoid(nil, n.now, p.ID()))
	n.does(n.Request(nil, n.now, p))
	n.did()
	n.does(n.HandleStarted(nil, n, p))
	n.expect("up 1")
	if !p.Subscribed() || n.Avoids(n.now, p.ID()) {
		t.Errorf("subscribed %v, avoided %v", p.Subscribed(), n.Avoids(n.now, p.ID()))
	}
	n.does(n.HandleStarted(nil, n, p))
	n.expect("")
}

// PROTOCOL.md G5.
func TestConfirmationThatWasNotAskedForIsEnded(t *testing.T) {
	n := newNode(t, 3)
	n.does(n.HandleStarted(nil, n, n.peer(testID(1))))
	n.expect("end 1")
}

// PROTOCOL.md G2.
func TestSubscribersAreBounded(t *testing.T) {
	most := SubscribersPer * 3
	n := newNode(t, most+2)
	for i := 1; i <= most; i++ {
		n.does(n.HandleStart(nil, n.now, n, n.peer(testID(i)), false))
	}
	if n.Serving() != most || len(n.links) != most {
		t.Fatalf("%d subscribers, %d links", n.Serving(), len(n.links))
	}
	n.did()
	n.does(n.HandleStart(nil, n.now, n, n.peer(testID(most+1)), false))
	n.expect("end 13")
	n.does(n.HandleStart(nil, n.now, n, n.peer(testID(1)), false))
	n.expect("started 1")
	n.does(n.HandleEnd(nil, n.now, n.peer(testID(1))))
	n.expect("down 1")
	n.does(n.HandleStart(nil, n.now, n, n.peer(testID(most+1)), false))
	n.expect("up 13, started 13")
}

func TestExcludedPeerGetsNoSubscription(t *testing.T) {
	n := newNode(t, 3)
	n.does(n.HandleStart(nil, n.now, n, n.peer(testID(1)), true))
	n.expect("end 1")
}

// A link carries both directions, so it lasts until neither node is subscribed to the other (PROTOCOL.md G4).
func TestLinkLastsAsLongAsEitherIsSubscribed(t *testing.T) {
	n := newNode(t, 3)
	p := n.peer(testID(1))
	n.does(n.Request(nil, n.now, p))
	n.does(n.HandleStarted(nil, n, p))
	n.does(n.HandleStart(nil, n.now, n, p, false))
	n.did()
	n.does(n.HandleEnd(nil, n.now, p))
	n.expect("")
	if p.Subscriber() || !p.Subscribed() {
		t.Errorf("subscriber %v, subscribed %v", p.Subscriber(), p.Subscribed())
	}
	n.does(n.HandleEnd(nil, n.now, p))
	n.expect("down 1")
	if n.ChoiceAt().Sub(n.now) > choiceSoon {
		t.Error("no choice is due soon although a subscription is missing")
	}
}

// PROTOCOL.md G5.
func TestHeartbeatOfAPeerWithoutALinkIsAnswered(t *testing.T) {
	n := newNode(t, 3)
	p := n.peer(testID(1))
	n.does(n.HandleHeartbeat(nil, p))
	n.expect("end 1")
	n.does(n.Request(nil, n.now, p))
	n.did()
	n.does(n.HandleHeartbeat(nil, p))
	n.expect("")
	n.does(n.HandleStarted(nil, n, p))
	n.did()
	n.does(n.HandleHeartbeat(nil, p))
	n.expect("")
}

func TestFailedLinkEndsAndItsPeerIsAvoided(t *testing.T) {
	n := newNode(t, 3)
	p := n.peer(testID(1))
	n.does(n.HandleStart(nil, n.now, n, p, false))
	n.did()
	n.does(n.LinkFailed(nil, n.now, p))
	n.expect("end 1, down 1, avoided 1")
}

func TestPeerIsAskedWhenItsSessionIsReadyIfItIsChosen(t *testing.T) {
	n := newNode(t, 3)
	n.does(n.SessionReady(nil, n.now, n.peer(testID(1))))
	n.expect("")
	n.peers = map[wire.NodeID]*Peer{}
	n.rechoose()
	n.did()
	p := n.peer(testID(1))
	n.does(n.SessionReady(nil, n.now, p))
	n.expect("start 1")
	n.does(n.SessionReady(nil, n.now, p))
	n.expect("")
}

func TestLegacyLinksAreNotCounted(t *testing.T) {
	n := newNode(t, 3)
	p := n.peer(legacyID(9))
	n.does(n.Request(nil, n.now, p))
	n.does(n.SetStarted(nil, p))
	n.does(n.AddSubscriber(nil, p))
	n.expect("start 9, up 9")
	if n.Started() != 0 || n.Serving() != 0 || n.HasLink() {
		t.Errorf("%d started, %d serving, a link with a Go node: %v", n.Started(), n.Serving(), n.HasLink())
	}
	at := n.now.Add(time.Second)
	if p.RequestedAgain(at); !p.RequestedAt().Equal(at) {
		t.Errorf("asked at %v", p.RequestedAt())
	}
	n.does(n.Unlink(nil, n.now, p))
	n.expect("down 9")
	n.does(n.Subscribe(nil, n.now, n, p.ID()))
	n.expect("start 9")
	n.does(n.Subscribe(nil, n.now, n, legacyID(8)))
	n.expect("dial 8")
}
