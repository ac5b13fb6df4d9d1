package handshake

import (
	"fmt"
	"maps"
	"slices"
	"testing"
)

// An mRun says which machines take part, and what the attacker knows from the start.
type mRun struct {
	name                   string
	nodes                  []mNode
	initiators, responders []int  // maximum numbers of handshakes that each node begins and answers
	known                  []term // pre-shared keys that the attacker knows
}

// What the attacker calls his own: a Go id, a legacy id, a handshake id, a key pair, a challenge, a timestamp.
const (
	evilGo, evilOld                    term = "Go-E", "Old-E"
	evilID, evilKey, evilDare, evilNow term = "id-E", "pk-E", "challenge-E", "time-E"
)

// An mState is what has happened: the machines, and what the attacker has seen. It is immutable.
type mState struct {
	machines                    []mMachine
	hmacs                       []mHmac
	ids, keys, times, dares, re []term // handshake ids, public keys, timestamps, challenges, responses
	proofs                      []mProof
}

// see returns the state after the attacker has seen a packet.
func (s mState) see(h mPacket) mState {
	add := func(list []term, t term) []term {
		if t == "" || slices.Contains(list, t) {
			return list
		}
		return append(slices.Clip(list), t)
	}
	s.ids, s.keys, s.times, s.dares, s.re = add(s.ids, h.id), add(s.keys, h.pk), add(s.times, h.time), add(s.dares, h.challenge), add(s.re, h.response)
	if h.proof != (mProof{}) && !slices.Contains(s.proofs, h.proof) {
		s.proofs = append(slices.Clip(s.proofs), h.proof)
	}
	if h.hmac.key != "" && !slices.Contains(s.hmacs, h.hmac) {
		s.hmacs = append(slices.Clip(s.hmacs), h.hmac)
	}
	return s
}

// with returns the state with another value of a machine.
func (s mState) with(i int, m mMachine) mState {
	s.machines = slices.Clone(s.machines)
	if i == len(s.machines) {
		s.machines = append(s.machines, m)
	} else {
		s.machines[i] = m
	}
	return s
}

// key identifies a state. What the attacker knows follows from the machines.
func (s mState) key() string {
	names := make([]string, len(s.machines))
	for i, m := range s.machines {
		names[i] = name(m) + fmt.Sprint(m.response, m.proof, m.done)
	}
	slices.Sort(names)
	return fmt.Sprint(names)
}

// A search visits all states that an attacker can reach in a run.
type search struct {
	t     *testing.T
	run   mRun
	rules mRules
	code  *modelCode // the real machines; nil with a flaw

	seen                       map[string]bool
	states, offered, taken     int
	sessions, bound, intruders int
	broken                     string
}

func newSearch(t *testing.T, run mRun, rules mRules) *search {
	return &search{t: t, run: run, rules: rules, seen: map[string]bool{}}
}

// all visits all states. It returns what the first broken property says, or "".
func (s *search) all() string {
	first := mState{ids: []term{evilID}, keys: []term{evilKey}, times: []term{evilNow}, dares: []term{evilDare}}
	for i := range s.run.nodes { // a Hello depends on nothing, so the attacker loses nothing if all are sent first
		for slot := range s.run.initiators[i] {
			m := mMachine{node: i, slot: slot, initiator: true}
			for _, h := range s.rules.begin(&s.run.nodes[i], &m) {
				first = first.see(h)
			}
			first = first.with(len(first.machines), m)
			if s.code != nil {
				s.code.begin(&first.machines[len(first.machines)-1])
			}
		}
	}
	for todo := []mState{first}; len(todo) > 0 && s.broken == ""; {
		at := todo[len(todo)-1]
		todo = append(todo[:len(todo)-1], s.after(at)...)
	}
	return s.broken
}

// after returns the states that follow a state and have not been visited.
func (s *search) after(at mState) (next []mState) {
	visit := func(st mState) {
		if k := st.key(); !s.seen[k] {
			s.seen[k] = true
			s.states++
			next = append(next, st)
			s.check(st)
		}
	}
	for i, m := range at.machines {
		n := &s.run.nodes[m.node]
		switch {
		case m.done:
		case m.initiator:
			for _, h := range s.ohais(at, n, m) {
				to, answer, ok := s.rules.ohai(n, m, h)
				s.note(m, h, to, ok)
				if ok {
					visit(at.with(i, to).see(answer))
				}
			}
		default:
			for _, h := range s.okBosses(at, m) {
				to, ok := s.rules.okBossAt(n, m, h)
				s.note(m, h, to, ok)
				if ok {
					visit(at.with(i, to))
				}
			}
		}
	}
	for i := range s.run.nodes {
		n, slot := &s.run.nodes[i], s.run.initiators[i]
		var before []mMachine
		for _, m := range at.machines {
			if m.node == i && !m.initiator {
				before = append(before, m)
				slot++
			}
		}
		if len(before) == s.run.responders[i] {
			continue
		}
		for _, h := range s.hellos(at, n) {
			known := func(m mMachine) bool { return m.peer == h.sender && (m.id == h.id || m.time == h.time) } // H4, E2
			if slices.ContainsFunc(before, known) {
				continue
			}
			free := mMachine{node: i, slot: slot}
			to, ohai, ok := s.rules.respond(n, free, h)
			s.note(free, h, to, ok)
			if ok {
				visit(at.with(len(at.machines), to).see(ohai))
			}
		}
	}
	return next
}

// note counts a packet, and offers it to the real machine.
func (s *search) note(m mMachine, h mPacket, to mMachine, ok bool) {
	if s.offered++; ok {
		s.taken++
	}
	if s.code != nil {
		s.code.offer(m, h, to, ok)
	}
}

// senders returns the ids under which the attacker speaks.
func (s *search) senders() (ids []term) {
	for _, n := range s.run.nodes {
		ids = append(ids, n.id)
	}
	return append(ids, evilGo, evilOld)
}

// hellos returns the Hellos that the attacker can offer a node. To a gwyh 0.1 node, which neither tells its answer's
// reader nor covers the sender and the public key, he sends them as himself.
func (s *search) hellos(at mState, n *mNode) (list []mPacket) {
	senders, keys := s.senders(), at.keys
	if n.legacy {
		senders, keys = []term{evilOld}, []term{evilKey}
	}
	for _, from := range senders {
		for _, id := range at.ids {
			for _, pk := range keys {
				for _, hm := range at.hmacs {
					list = append(list, mPacket{step: "Hello", sender: from, id: id, pk: pk, time: hm.time, hmac: hm})
				}
				for _, k := range s.run.known {
					for _, now := range at.times {
						bound := mMessage{roleHello, of("block", evilGo), s.rules.helloBinding(from, id, now, pk, of("block", evilGo)), ""}
						list = append(list, mPacket{step: "Hello", sender: from, id: id, pk: pk, time: now, hmac: mHmac{k, now, bound}})
					}
				}
			}
		}
	}
	return list
}

// ohais returns the Ohais that the attacker can offer an initiator.
func (s *search) ohais(at mState, n *mNode, m mMachine) (list []mPacket) {
	senders := s.senders()
	if n.legacy {
		senders = []term{evilOld}
	}
	for _, from := range senders {
		for _, pk := range at.keys {
			for _, dare := range at.dares {
				offer := func(hm mHmac) {
					list = append(list, mPacket{step: "Ohai", sender: from, id: m.id, pk: pk, challenge: dare, hmac: hm})
				}
				for _, hm := range at.hmacs {
					offer(hm)
				}
				for _, k := range s.run.known {
					content := of("block", evilGo)
					for _, claim := range claims(from) {
						shared := s.shared(static(claim), m.pk)
						offer(mHmac{k, m.time, mMessage{roleOhai, content, s.rules.ohaiBinding(m.hello, from, pk, dare, content, shared), claim}})
						for _, hm := range at.hmacs { // a binding that he has seen, with a block of his own
							if hm.role == roleOhai {
								offer(mHmac{k, m.time, mMessage{roleOhai, content, hm.binding, claim}})
							}
						}
					}
				}
			}
		}
	}
	return list
}

// claims returns the ids whose keys the attacker shows when he speaks as a node: all keys are known, and his own is the only
// one of which he has the private half.
func claims(from term) []term {
	if from == evilGo {
		return []term{evilGo}
	}
	return []term{from, evilGo}
}

// shared returns the shared secret of two public keys as far as the attacker can compute it; otherwise he guesses.
func (s *search) shared(a, b term) term {
	for _, own := range []term{evilKey, static(evilGo)} {
		if a == own || b == own {
			return dh(a, b)
		}
	}
	return "guess"
}

// okBosses returns the OkBosses that the attacker can offer a responder, of what he has seen and of what he can make.
func (s *search) okBosses(at mState, m mMachine) (list []mPacket) {
	offer := func(response term, p mProof) {
		list = append(list, mPacket{step: "OkBoss", sender: m.peer, id: m.id, response: response, proof: p})
	}
	if !m.bound {
		for _, r := range at.re {
			offer(r, mProof{})
		}
		for _, k := range s.run.known {
			offer(legacyResponse(k, m.challenge, m.pk, m.id), mProof{})
		}
		return list
	}
	proofs := at.proofs
	for _, p := range at.proofs {
		for _, claim := range claims(m.peer) {
			proofs = append(slices.Clip(proofs), mProof{claim, p.sum})
		}
	}
	for _, k := range append([]term{"-"}, s.run.known...) {
		for _, claim := range claims(m.peer) {
			proofs = append(slices.Clip(proofs), s.rules.identify(k, m.binding, claim, s.shared(static(claim), m.pk)))
		}
	}
	for _, p := range proofs {
		offer(s.rules.okBoss("-", m.binding, p), p)
		for _, r := range at.re {
			offer(r, p)
		}
		for _, k := range s.run.known {
			offer(s.rules.okBoss(k, m.binding, p), p)
			offer(legacyResponse(k, m.challenge, m.pk, m.id), p)
		}
	}
	return list
}

// knows reports whether the attacker knows a pre-shared key.
func (s *search) knows(key term) bool { return slices.Contains(s.run.known, key) }

// readable reports whether the attacker can derive the key of a session: of a legacy one, he needs the other private key, of
// a bound one also that of the other id, and the pre-shared key.
func (s *search) readable(m *mMachine) bool {
	if !m.bound {
		return m.peerKey == evilKey
	}
	return s.knows(m.key) && (m.peerKey == evilKey && m.claim == evilGo || s.rules.has(noSecretInKeys))
}

// check looks for broken properties in a state.
func (s *search) check(at mState) {
	of := map[term][]*mMachine{} // bound sessions by their keys
	for i := range at.machines {
		m := &at.machines[i]
		if n := &s.run.nodes[m.node]; !m.done || n.legacy {
			continue
		}
		s.sessions++
		if !m.bound {
			if isGoTerm(m.peer) {
				s.fail(m, "the session with a Go node is not bound")
			}
			if s.readable(m) {
				s.intruders++
			}
			continue
		}
		s.bound++
		of[m.session] = append(of[m.session], m)
		if !s.knows(m.key) || m.peer != evilGo {
			s.checkSession(at, m)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(of)) { // whoever made it possible, equal keys mean equal views
		for _, m := range of[key][1:] {
			if o := of[key][0]; !s.agree(o, m) {
				s.fail(m, "the session has the key of another one that sees it differently: "+o.String())
			}
		}
	}
}

// checkSession checks a bound session under a key that the attacker does not know, or with a node that is not his own: he
// must not be the other end under the id of another node, whatever he knows.
func (s *search) checkSession(at mState, m *mMachine) {
	if s.readable(m) || m.peerKey == evilKey {
		s.fail(m, "the attacker is the other end")
	}
	partners := 0
	for i := range at.machines {
		if o := &at.machines[i]; o.initiator != m.initiator && (o.answered || !o.initiator) && s.agree(m, o) {
			partners++
		}
	}
	if partners != 1 {
		s.fail(m, fmt.Sprintf("%d machines of the peer agree with it", partners))
	}
}

// agree reports whether two machines are the two ends of one handshake, and see it alike: ids, keys, versions and all else
// that the blocks say.
func (s *search) agree(a, b *mMachine) bool {
	na, nb := &s.run.nodes[a.node], &s.run.nodes[b.node]
	switch {
	case a.initiator == b.initiator, a.bound != b.bound, a.id != b.id, a.time != b.time, a.key != b.key:
		return false
	case a.peer != nb.id, b.peer != na.id, a.peerKey != b.pk, b.peerKey != a.pk, a.binding != b.binding:
		return false
	}
	return a.content == nb.content() && b.content == na.content()
}

func (s *search) fail(m *mMachine, what string) {
	if s.broken == "" {
		s.broken = m.String() + ": " + what
	}
}
