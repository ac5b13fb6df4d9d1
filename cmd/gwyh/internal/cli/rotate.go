package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/api"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/client"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/config"
)

// A rotation changes the key of all agents of a cluster. Each step is done at all agents before the next one begins, so at
// any time each agent accepts what all others offer. A rotation that stopped is repeated from the start.
type rotation struct {
	out    io.Writer
	agents []rotated
	fresh  []byte   // the new key
	print  string   // its fingerprint
	weak   [][]byte // old keys without a fingerprint
}

// A rotated is one agent of a rotation.
type rotated struct {
	*client.Client
	address string
	self    api.Self
}

// rotate makes the first key of the standard input the only one of the agents at addresses.
func rotate(ctx context.Context, s *session, addresses []string) error {
	r := &rotation{out: s.out}
	if err := r.readKeys(s.in); err != nil {
		return err
	}
	for _, address := range addresses {
		r.agents = append(r.agents, rotated{Client: client.New(address, s.agent.Token), address: address})
	}
	if err := r.check(ctx); err != nil {
		return fmt.Errorf("no key was changed: %w", err)
	}
	for _, step := range []struct {
		name string
		do   func(context.Context, *rotated) error
	}{{"add", r.add}, {"use", r.use}, {"remove", r.remove}} {
		if err := r.checkMembers(ctx); err != nil { // one may have joined since
			return fmt.Errorf("stopped before the step %q: %w", step.name, err)
		}
		for i := range r.agents {
			a := &r.agents[i]
			if err := step.do(ctx, a); err != nil {
				return fmt.Errorf("stopped at the step %q, at the agent %s; no agent is cut off. Correct that, and repeat the command with the same key: %w", step.name, a.address, err)
			}
		}
		_, _ = fmt.Fprintf(s.out, "%-6s  done at %s\n", step.name, count(len(r.agents), "agent"))
	}
	_, err := fmt.Fprintf(s.out, "%s is the only key now\n", r.print)
	return err
}

// readKeys reads the new key, and old keys without a fingerprint, one in a line.
func (r *rotation) readKeys(in io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(in, 4<<10))
	if err != nil {
		return err
	}
	for line := range strings.FieldsSeq(string(text)) {
		key, err := config.ParseKey(line)
		if err != nil {
			return err
		}
		r.weak = append(r.weak, key)
	}
	if len(r.weak) == 0 {
		return errors.New("the standard input has no key")
	}
	r.fresh, r.weak = r.weak[0], r.weak[1:]
	if r.print = gwyh.KeyFingerprint(r.fresh); r.print == "" {
		return errors.New("the new key can be guessed: make one with `gwyh keygen`")
	}
	return nil
}

// check checks that all agents can be asked and have keys, and that no other member would be cut off.
func (r *rotation) check(ctx context.Context) error {
	for i := range r.agents {
		a := &r.agents[i]
		if err := a.Get(ctx, "/v1/self", &a.self); err != nil {
			return err
		}
		keys, err := a.keys(ctx)
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			return fmt.Errorf("the agent %s has no key, so it would no longer accept agents without one: restart one agent after the other with -key text:insecure, which is the key of "+
				"agents without one, and write text:insecure into the line after the new key", a.address)
		}
		for _, k := range keys {
			if k.Weak && len(r.weak) == 0 {
				return fmt.Errorf("the agent %s has a key that can be guessed, which has no fingerprint: write the old key into the line after the new one", a.address)
			}
		}
	}
	return r.checkMembers(ctx)
}

// checkMembers checks that each member is one of the agents.
func (r *rotation) checkMembers(ctx context.Context) error {
	named := map[string]bool{}
	for i := range r.agents {
		named[r.agents[i].self.Member.ID] = true
	}
	for i := range r.agents {
		var members []api.Member
		if err := r.agents[i].Get(ctx, "/v1/members", &members); err != nil {
			return err
		}
		for _, m := range members {
			if !named[m.ID] {
				return fmt.Errorf("the member %q at %s would be cut off: name the API of every agent, or change the keys step by step (`gwyh keys -h`)", m.Name, m.Addr)
			}
		}
	}
	return nil
}

func (a *rotated) keys(ctx context.Context) (all []api.Key, err error) {
	err = a.Get(ctx, "/v1/keys", &all)
	return all, err
}

func (r *rotation) add(ctx context.Context, a *rotated) error {
	return a.Post(ctx, "/v1/keys/add", api.KeyRequest{Key: r.fresh}, nil)
}

func (r *rotation) use(ctx context.Context, a *rotated) error {
	return a.Post(ctx, "/v1/keys/use", api.KeyRequest{Fingerprint: r.print}, nil)
}

// remove removes all keys except the new one.
func (r *rotation) remove(ctx context.Context, a *rotated) error {
	keys, err := a.keys(ctx)
	if err != nil {
		return err
	}
	weak := 0
	for _, k := range keys {
		switch {
		case k.Weak:
			weak++
		case k.Fingerprint != r.print:
			if err := a.Post(ctx, "/v1/keys/remove", api.KeyRequest{Fingerprint: k.Fingerprint}, nil); err != nil {
				return err
			}
		}
	}
	for _, key := range r.weak {
		if weak > 0 && a.Post(ctx, "/v1/keys/remove", api.KeyRequest{Key: key}, nil) == nil {
			weak--
		}
	}
	if weak > 0 {
		return errors.New("it still has a key that can be guessed, and that is none of the old keys of the standard input")
	}
	return nil
}
