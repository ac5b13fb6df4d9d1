// Package pacing is the congestion control of one link: when the next datagram may leave, and how much
// may be on its way. It has no sockets, clock, locks or goroutines: the caller says what happens when.
//
// The caller asks Wait before each datagram, calls Sent for each that left, and hands in the peer's
// delivery reports (Report), what its Naks name (Lost) and errors of its own system (Backoff). What goes
// out without asking, as control messages do, is counted all the same. Rates are in bytes per second,
// sizes in bytes with all that Sent counts.
//
// # Measured
//
// rtt is the smoothed round-trip time: an eighth of each sample, and of that no more than 2 rtt + 50 ms.
// least is the smallest sample of the last 5 to 10 minutes. jitter is the smoothed difference of
// consecutive samples.
//
//	interval = max(rtt, 20 ms)                       the peer reports about that often
//	round    = from a report to the first that is 3/4 interval or more later
//	got      = the most that was delivered per second in one of the last three rounds
//	rise     = sample - least
//	risen(n) = each of the n newest samples has rise > max(12 ms, least/4 up to 20 ms, 2 jitter)
//	queued   = got * rise                            bytes of this link in queues
//
// Samples of the datagrams sent unpaced say nothing of rise: these waited for each other. Taking the
// smallest of several makes jitter harmless. Less than 12 ms a busy host adds by itself. The limit of 20 ms
// makes a queue of 64 KB visible on a path of 10 Mbit/s and 200 ms.
//
// # Start
//
// A link starts with 64 KiB unpaced and waits for the first report. From then on
//
//	rate = max(rate, 2 got)
//
// which doubles it once per round trip and report; the first report alone may lower it, to no less than
// 16 KiB per interval, unless the application had sent less than it might. The start ends with the first
// congestion, or when a queue is seen, even without loss: risen(2), or one sample with twice the rise,
// beyond 4 jitter; and queued >= 24 KiB, so that nobody ends his start for the queue of another. Then
// rate = got.
//
// When for max(2 s, 8 rtt) nothing had to wait and no report came, the next Wait starts the link anew.
//
// # Congestion
//
// Loss is what Naks named, but no more than the reports say is missing: what is named and arrives late is
// taken back. It is congestion in two cases:
//
//	something was named in this round, and risen(3)
//	lost > (random + 2 %) n + sqrt(n)                of the last n datagrams
//
// with n at least 256 and a round trip. random is the share of loss that has other causes than our rate.
// It starts at 10 %, falls to (lost + sqrt(n))/n of what is reported wherever that is lower, and goes half
// the way up to the share found, at most 20 %, whenever the second case occurs without rise. So random loss below 10 %
// with flat delay neither ends the start nor lowers the rate, more is learnt and borne, and a path whose
// queue is too short for the delay to show is recognised by its loss. After each congestion, and after
// the unpaced burst, losses do not count until the datagrams sent since are reported and 5/4 rtt + 5 ms
// have gone for what they show to be named: hence one decrease per round trip at most.
//
// # Decrease
//
// As UDT does (draft-gg-udt), by an eighth; 3/32 to 5/32 at random, so that links that share a path do not
// move in step:
//
//	rate = min(rate, got) * (1 - 1/8 +- 1/32)
//
// got counts only if something had to wait in the last 4 intervals, for else it tells what the application
// sent. Then nothing is sent for min(rise/2, rtt), in which half of the queue drains.
//
// # Increase
//
// At the end of each round in which at least half of what the rate allows was sent, and losses count:
//
//	rate = min(rate + slope * round, 9/8 got / (1 - random))
//
//	slope = datagram / (max(interval, 50 ms) * 0.1 s) * share  +  spare / hold
//	share = 1 while rise <= max(12 ms, 2 jitter), else (16 KiB/queued)^2, from 1/4 to 1
//	hold  = max(10 interval, 0.5 s)
//	spare = 0 until hold after the last congestion, all of the rate from 2 hold on; 0 with more rise
//
// The first term is the additive increase that makes links share a path; who has much queued increases
// less, which lets newcomers catch up. The second is UDT's: an increase in proportion to the spare rate,
// which is supposed to be the larger the longer there was no congestion, up to as much as is used. The
// bound keeps the rate from running away from what gets through while a queue fills.
//
// # Bounds
//
//	rate   from max(32 KiB, 2 datagrams) to 1.25 GB per second
//	window = rate * (rtt + 2 interval + 10 ms)       from 64 KiB to 64 MiB; 64 KiB until the first report
//
// Two intervals bear one lost report. A datagram leaves when a bucket, filled at the rate, holds its size;
// the bucket takes 2 ms of the rate or two datagrams. A caller that is scheduled late (Late) may make up for what it missed,
// by 64 KiB at most, so that a host whose processor is busy comes near the rate. When the window is used up sending stops, but for one datagram when a report is overdue, after rtt + interval + 10 ms, one
// more after the same time, then after twice that and so on up to 1 s. A report after four or more of them
// starts the link anew, for all that was sent before has left the network; a peer that cannot pass on what it
// gets reports late, but not that late, and Held tells of it. A Nak before the first report allows one
// datagram at once: the peer is there, and its report was lost. So a receiver that stands still costs one
// window, and whatever the peer reports, rate, window and wait keep to their bounds.
package pacing
