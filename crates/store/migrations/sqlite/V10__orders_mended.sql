-- When the customer of an order was last reminded, instead of how many steps of a
-- schedule were done, which may have changed since; when an order came back, from
-- which on it is held anew; and whether it was the shop that ended it.
ALTER TABLE orders ADD COLUMN reminded_at INTEGER;
ALTER TABLE orders ADD COLUMN reinstated_at INTEGER;
ALTER TABLE orders ADD COLUMN ended_in_shop INTEGER NOT NULL DEFAULT 0;
UPDATE orders SET reminded_at = (SELECT MAX(e.at) FROM order_events e
    WHERE e.order_row = orders.id AND e.event = 'reminder');
ALTER TABLE orders DROP COLUMN steps;
