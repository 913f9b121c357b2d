"""How dates are written where Django writes them: 3 Mar 2026. Other languages keep Django's own formats."""
