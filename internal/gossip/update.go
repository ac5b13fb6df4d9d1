package gossip

import (
	"bytes"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// SetMeta changes the metadata of this node and tells the links at once. After an error nothing has
// changed. meta is not kept.
func (c *Core) SetMeta(now time.Time, meta []byte) error {
	before := c.self.Meta
	c.self.Meta = bytes.Clone(meta)
	if err := c.members.Fits(c.entryRoom()); err != nil {
		c.self.Meta = before
		return err
	}
	if !c.self.Live() { // it is told when it joins again
		return nil
	}
	c.renewSelf(now, c.self.Incarnation)
	c.flushNews(now)
	if !bytes.Equal(before, meta) {
		c.emitMember(EventUpdate, c.self)
	}
	return nil
}

// entryRoom is the most bytes that an entry may have: more do not fit into a datagram, and nobody could pass it on.
func (c *Core) entryRoom() int { return c.cfg.DatagramSize - wire.BoxOverhead - membersOverhead }
