"""Who a drawn person is: head, skin, hair."""
